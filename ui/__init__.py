"""The parts of the pages: pages and this folder alone import streamlit."""
