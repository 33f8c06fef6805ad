"""The one home of Streamlit: what pages are made of."""
