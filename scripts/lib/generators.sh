# Generators of files: one command per line, relative to the repository, run with .venv's python.
# Each writes its files, or with --check exits non-zero if they are out of date.
generators=(
  "scripts/lib/cli_docs.py"
  "scripts/lib/wires_docs.py"
  "scripts/docs-catalog"
)

# Generators that need the network: scripts/fix does not run them, scripts/check runs them with --check.
pinned_generators=(
  "scripts/facts"
)
