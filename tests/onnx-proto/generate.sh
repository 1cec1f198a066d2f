#!/bin/sh
# Generates the reference decoder of the tests from onnx.proto (of onnx 1.23.2, Apache-2.0). Needs protoc (Debian:
# protobuf-compiler). The package `lathe-ml` does not contain it: src/graph/proto reads the wire format itself.
set -e
cd "$(dirname "$0")"
npx --yes --package=node@22 --package=@bufbuild/protoc-gen-es@2.17.0 -- \
  protoc --proto_path=../../src/graph/proto --es_out=generated --es_opt=target=js+dts onnx.proto
