"""MCP tools answer in JSON, where Gradio's own would print Python's notation."""

from __future__ import annotations

import json
from typing import Any

import gradio.mcp
from gradio_client.utils import is_file_obj_with_meta


class JsonTools(gradio.mcp.GradioMCPServer):
    """Gradio's MCP server, whose answers are JSON or files."""

    def postprocess_output_data(self, data: Any, root_url: str) -> list[Any]:
        """An endpoint's outputs as content: images for image files, JSON for all else."""
        worded = [
            output
            if is_file_obj_with_meta(output)
            else json.dumps(output, ensure_ascii=False, allow_nan=False)
            for output in data
        ]
        return super().postprocess_output_data(worded, root_url)


def use_json_tools() -> None:
    """Let the page that is launched next answer so: Gradio takes no class of ours by itself."""
    gradio.mcp.GradioMCPServer = JsonTools  # type: ignore[misc]
