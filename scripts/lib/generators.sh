# Files that a program writes: one command per line, relative to the repository, run with .venv's python.
# Each rewrites its file, or with --check exits non-zero where the file is not what it would write.
generators=(
  "scripts/lib/cli_docs.py"
)
