# Side by side with the peers: included by ../GNUmakefile; see README.
#
#	make bench		everything, about half an hour
#	make bench-quick	the most telling comparisons, five minutes
#	make bench-growth	how cost grows with sessions, routes and sites
#	make bench-caddy	builds a peer that is no Debian package, with Go
#	bench/run --help	one comparison (after `make bench-build`)

BENCH	  = backend floor handoff lg limits minitls tlsload
BENCH_BIN = $(addprefix $(O)/bench/,$(BENCH))
BENCH_CADDY = $(abspath $(O)/bench/caddy-l4)
BENCH_ENV = BENCH_OUT=$(abspath $(O)/bench) CADDY_L4_BIN=$(BENCH_CADDY) \
	    L4MUX_BIN=$(abspath $(BIN_master))
BENCH_RUN = $(BENCH_ENV) bench/run
BENCH_QUICK = A1 A3down1 A4 B1 B3h1-1k C1 C3h1-1k l4mux nginx haproxy-splice \
	      h2o nginx-mux haproxy-mux

$(O)/bench/%: bench/src/%.c $(wildcard bench/src/*.h)
	@mkdir -p $(@D)
	@$(CC) -std=gnu11 -D_GNU_SOURCE -O2 $(BENCH_WARN) -o $@ $< $(BENCH_LIBS)
BENCH_WARN = $(WARN)
$(O)/bench/minitls $(O)/bench/tlsload: BENCH_LIBS = -lssl -lcrypto
$(O)/bench/minitls: BENCH_LIBS += -lnghttp2

bench-build: $(BENCH_BIN) $(BIN_master) $(BIN_ctl) $(foreach d,$(DAEMONS),$(BIN_$(d)))
bench-deps:
	@tests/deps.sh bench
bench-caddy:
	@bench/build-caddy-l4 $(BENCH_CADDY)
bench: bench-deps
	@$(MAKE) -s -j$(JOBS) bench-build
	@$(BENCH_RUN) --out $(O)/bench/results
bench-quick: bench-deps
	@$(MAKE) -s -j$(JOBS) bench-build
	@$(BENCH_RUN) $(BENCH_QUICK) --rounds 7 --secs 0.4 --out $(O)/bench/quick

bench-growth: bench-deps
	@$(MAKE) -s -j$(JOBS) bench-build
	@$(BENCH_ENV) bench/growth

.PHONY: bench bench-quick bench-growth bench-build bench-caddy bench-deps
