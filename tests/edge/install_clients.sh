#!/usr/bin/env bash
# Install what tests/edge runs model files on. As root on Debian it brings the system's packages, too; elsewhere have
# these commands ready: node and npm, chromium, g++ with nlohmann-json, aarch64-linux-gnu-g++, qemu-aarch64.
set -euo pipefail
cd "$(dirname "$0")/../.."

packages=()
need() { command -v "$1" >/dev/null || packages+=("${@:2}"); }
need npm nodejs npm
need chromium chromium
need g++ g++
need aarch64-linux-gnu-g++ g++-aarch64-linux-gnu
need qemu-aarch64 qemu-user
[ -e /usr/include/nlohmann/json.hpp ] || packages+=(nlohmann-json3-dev)
if [ ${#packages[@]} -gt 0 ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

# The libraries are in the packages; an install script would fetch others from elsewhere.
npm --prefix docs/edge ci --ignore-scripts --no-audit --no-fund --loglevel=error

# ONNX Runtime and numpy, nothing of ours.
python3.11 -m venv build/edge/bare
build/edge/bare/bin/pip install -q -c constraints.txt numpy onnxruntime

# The oldest versions that pyproject.toml allows, and gandetect.
python3.11 -m venv build/edge/oldest
build/edge/oldest/bin/pip install -q onnxruntime==1.15.0 numpy==1.26.0
build/edge/oldest/bin/pip install -q -e .
