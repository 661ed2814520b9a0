# Files that a program writes: one command per line, relative to the repository, run with .venv's python.
# Each rewrites its file, or with --check exits non-zero where the file is not what it would write.
generators=(
  "scripts/lib/cli_docs.py"
  "scripts/lib/wires_docs.py"
  "scripts/docs-catalog"
)

# The same, but rewriting needs the network: scripts/fix leaves these alone, scripts/check only asks whether they are whole.
pinned_generators=(
  "scripts/facts"
)
