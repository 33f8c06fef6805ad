"""Making a trained version smaller and faster, and measuring what that costs."""
