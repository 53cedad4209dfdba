"""What answers: runs, engines, images; no Gradio component."""
