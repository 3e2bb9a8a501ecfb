#!/usr/bin/env bash
# Runs one real Apache Kafka node (KRaft) in the foreground on loopback; SIGTERM stops it cleanly, SIGKILL is a crash.
#
#   KAFKA_DIR     folder for its data (default: a new temporary folder)
#   KAFKA_PORT    first port of the cluster, default 9092; node n listens on
#                   PORT + 10*(n-1)      PLAINTEXT
#                   PORT + 10*(n-1) + 1  SASL_PLAINTEXT
#                   PORT + 10*(n-1) + 2  SASL_SSL
#                 and node 1 also on PORT + 3, the controller
#   KAFKA_NODE    1 (default): broker and controller in one; 2, 3, ...: a further broker of the same cluster
#   KAFKA_SET     a file with further server settings, one "key=value" a line
#   KAFKA_CACHE   folder for jars and certificates (default: streamlab-tests in the user's cache folder)
#   KAFKA_OWNER   a process without which the node shall not live on
#   KAFKA_JVM     options for Java, default -Xmx1g
#
# "run.sh prepare" gets the jars and the certificates and starts nothing.
# User alice, password alice-secret (PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512). CA certificate: KAFKA_CACHE/ca.pem.
# Needs Java 17 or later (java in PATH, else JAVA_HOME), the first time Maven, and for the certificates Python's
# package `cryptography` (PYTHON, default python3). It is up when a metadata request answers, about 5 s after the start.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${KAFKA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/streamlab-tests}
libs="$cache/kafka-4.4.0"
java=java
command -v java > /dev/null || java="$JAVA_HOME/bin/java"

mkdir -p "$cache"
if [ ! -d "$libs" ]; then
  fresh=$(mktemp -d "$cache/jars.XXXXXX")
  cp "$here/pom.xml" "$fresh/"
  mvn -q -B -f "$fresh/pom.xml" -Dlibs="$fresh/libs" package < /dev/null
  mv "$fresh/libs" "$libs"  # only now, so that half a download never counts
  rm -rf "$fresh"
fi
[ -f "$cache/broker.pem" ] || "${PYTHON:-python3}" "$here/certificates.py" "$cache"
if [ "${1:-}" = prepare ]; then exit; fi

mkdir -p "${KAFKA_DIR:=$(mktemp -d)}"
dir=$(cd "$KAFKA_DIR" && pwd)
first=${KAFKA_PORT:-9092} node=${KAFKA_NODE:-1}
port=$((first + 10 * (node - 1)))
data="$dir/data-$first-$node" conf="$dir/server-$first-$node.properties"
read -ra options <<< "${KAFKA_JVM:--Xmx1g}"
java=("$java" "${options[@]}" -Djava.awt.headless=true "-Dlog4j2.configurationFile=$here/log4j2.xml" -cp "$libs/*")
cluster=c3RyZWFtbGFiLXRlc3RzAA  # any 16 bytes in base64; the same for all nodes

if [ "$node" = 1 ]; then
  roles=broker,controller controller=",CONTROLLER://127.0.0.1:$((first + 3))"
else
  roles=broker controller=
fi
sed -e "s/@ROLES@/$roles/g" -e "s/@NODE@/$node/g" -e "s#,@CONTROLLER_LISTENER@#$controller#g" -e "s/@CONTROLLER_PORT@/$((first + 3))/g" \
    -e "s/@PORT@/$port/g" -e "s/@PORT1@/$((port + 1))/g" -e "s/@PORT2@/$((port + 2))/g" -e "s#@DATA@#$data#g" -e "s#@CACHE@#$cache#g" \
    "$here/server.properties" > "$conf"
if [ -n "${KAFKA_SET:-}" ]; then cat "$KAFKA_SET" >> "$conf"; fi

if [ ! -f "$data/meta.properties" ]; then
  format=(format -t "$cluster" -c "$conf")
  if [ "$node" = 1 ]; then
    format+=(--standalone --add-scram 'SCRAM-SHA-256=[name=alice,password=alice-secret]' --add-scram 'SCRAM-SHA-512=[name=alice,password=alice-secret]')
  fi
  "${java[@]}" kafka.tools.StorageTool "${format[@]}"
fi
if [ -n "${KAFKA_OWNER:-}" ]; then
  (while kill -0 "$KAFKA_OWNER" 2> /dev/null; do sleep 2; done; kill -KILL $$) &
fi
exec "${java[@]}" kafka.Kafka "$conf"
