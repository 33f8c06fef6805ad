"""Results to Altair charts; no chart knows Streamlit."""
