"""The register map for people and for tools: Markdown, a C header, CMSIS-SVD."""
