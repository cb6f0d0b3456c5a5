# A thin index over the go command and scripts/, which CI calls too.

FUZZTIME ?= 10m
SEEDS ?= 100000
PKG ?= ./...
export FUZZTIME SEEDS

.PHONY: help build run test test-long generate fmt bench bench-send bench-peers bench-web fuzz sim torture

help: ## show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' Makefile | awk -F '\t' '{ printf "make %-11s %s\n", $$1, $$2 }'

build: ## build bin/hongyan
	go build -o bin/hongyan ./cmd/hongyan

run: build ## build and start a server
	bin/hongyan serve

test: ## run everything that a change must pass, in under 15 minutes
	@scripts/test

test-long: ## run all tests afresh, the long ones too
	@scripts/test-long

generate: ## write the Go code of proto/ anew
	@scripts/generate

fmt: ## format the Go code
	go fmt ./...

bench: ## run the benchmarks of PKG (all by default)
	go test -run '^$$' -bench . -benchmem $(PKG)

bench-send: ## measure durable sends against a raw log on the same disk
	@scripts/bench-send

bench-peers: ## compare the WebSocket echo with other servers (FULL=1: everything)
	@scripts/bench-peers

bench-web: build ## measure the web client with 100,000 messages and 10,000 conversations
	@cd web/app && npm run --silent scroll && npm run --silent open

fuzz: ## run every fuzz target for FUZZTIME (10m by default)
	@scripts/fuzz

sim: ## simulate clusters under faults for SEEDS seeds (100000 by default)
	@scripts/sim

torture: ## break everything around a server for DURATION (1m by default)
	@scripts/torture
