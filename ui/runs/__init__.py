"""The Runs page, and retraining from the sidebar."""
