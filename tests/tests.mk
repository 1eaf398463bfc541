# Tests: included by ../GNUmakefile.

# One test program per tests/unit/NAME_test.c, linked with libcommon and, for
# UNIT_OBJ_NAME, the objects of the role it tests.
UNIT	:= $(patsubst tests/unit/%.c,%,$(sort $(wildcard tests/unit/*_test.c)))
UNIT_BIN = $(addprefix $(O)/tests/unit/,$(UNIT))

role_objs = $(addprefix $(O)/obj/,$(addsuffix .o,$(1)))
UNIT_OBJ_sign_test = $(call role_objs,keys/signer)
UNIT_LIBS_sign_test = -lcrypto
UNIT_OBJ_pem_test = $(call role_objs,keys/signer keys/pem)
UNIT_LIBS_pem_test = -lcrypto
UNIT_OBJ_cert_test = $(call role_objs,keys/signer keys/pem keys/selfsign \
	keys/check keys/describe keys/request)
UNIT_LIBS_cert_test = -lcrypto
UNIT_OBJ_describe_test = $(call role_objs,keys/describe)
UNIT_LIBS_describe_test = -lcrypto
UNIT_OBJ_keys_test = $(call role_objs,keys/signer keys/pem keys/store \
	keys/serve tlsterm/keychan tlsterm/keyprov tlsterm/remote \
	tests/unit/keys_world)
UNIT_OBJ_sandbox_test = $(call role_objs,worker/sandbox proxy/sandbox \
	tlsterm/sandbox keys/sandbox metrics/sandbox acme/sandbox)
UNIT_OBJ_request_test = $(call role_objs,metrics/request)
UNIT_OBJ_history_test = $(call role_objs,metrics/history)
UNIT_OBJ_challenge_test = $(call role_objs,worker/challenge)
UNIT_OBJ_acme_wire_test = $(call role_objs,master/ledger)
UNIT_OBJ_hook_test = $(call role_objs,master/hook)
UNIT_OBJ_ledger_test = $(call role_objs,master/ledger)
UNIT_OBJ_store_test = $(call role_objs,master/store)
UNIT_OBJ_acme_test = $(call role_objs,acme/jws acme/http_url acme/talk \
	acme/renewal acme/ca acme/http)
UNIT_LIBS_acme_test = -lcurl -ljansson -lssl -lcrypto \
	-Wl,--exclude-libs,libcommon.a
UNIT_LIBS_keys_test = -lssl -lcrypto
UNIT_LIBS_keys_start_test = -lcrypto
UNIT_LIBS_log_test = -ljansson
$(O)/tests/unit/keys_start_test: | $(BIN_keys)
UNIT_OBJ_record_test = $(call role_objs,proxy/record)
UNIT_OBJ_balance_test = $(call role_objs,proxy/balance)
UNIT_OBJ_pool_test = $(call role_objs,proxy/buf proxy/pipe)
UNIT_OBJ_http1_test = $(call role_objs,tlsterm/http1 tlsterm/request \
	tlsterm/chunked)
UNIT_OBJ_http2_test = $(call role_objs,tlsterm/http2 tlsterm/h2_limit \
	tlsterm/request)
UNIT_OBJ_forward_test = $(call role_objs,tlsterm/forward_head tlsterm/uphead \
	tlsterm/http1 tlsterm/chunked tlsterm/request)
UNIT_OBJ_fspath_test = $(call role_objs,tlsterm/fspath)
UNIT_OBJ_cond_test = $(call role_objs,tlsterm/cond tlsterm/httpdate)
UNIT_OBJ_range_test = $(call role_objs,tlsterm/range tlsterm/body tlsterm/blob)
UNIT_OBJ_accept_test = $(call role_objs,tlsterm/accept)
UNIT_OBJ_listing_test = $(call role_objs,tlsterm/listing tlsterm/httpdate)
UNIT_OBJ_encoder_test = $(call role_objs,tlsterm/encoder tlsterm/blob)
UNIT_OBJ_cache_test = $(call role_objs,tlsterm/cache tlsterm/blob \
	tlsterm/form tlsterm/accept tlsterm/encoder tlsterm/compress \
	tlsterm/content tlsterm/docroot tlsterm/fspath tlsterm/digest \
	tlsterm/media tlsterm/mime tlsterm/h1_write tlsterm/response \
	tlsterm/body tlsterm/range)
UNIT_LIBS_cache_test = -lcrypto -lz -lzstd -lbrotlienc
UNIT_OBJ_files_test = $(UNIT_OBJ_cache_test) $(call role_objs,tlsterm/files \
	tlsterm/browse tlsterm/listing tlsterm/httpdate tlsterm/cond \
	tlsterm/redirect tlsterm/request)
UNIT_LIBS_files_test = $(UNIT_LIBS_cache_test) -lbrotlidec
UNIT_LIBS_encoder_test = -lz -lzstd -lbrotlienc -lbrotlidec
UNIT_OBJ_url_test = $(call role_objs,tlsterm/redirect tlsterm/mime)
$(foreach t,$(UNIT),$(eval $(O)/tests/unit/$(t): $(UNIT_OBJ_$(t))))

$(O)/tests/unit/%: tests/unit/%.c $(LIBCOMMON)
	@mkdir -p $(@D)
	@$(CC) $(ALL_CFLAGS) $(HARDLD) $(LDFLAGS) -o $@ $< $(UNIT_OBJ_$*) \
	    $(LIBCOMMON) $(UNIT_LIBS_$*) -lcheck -lsubunit -lm -lrt -lpthread \
	    $(LIBS_common)

# Roles that misbehave in every way there is, for tests/system; never installed.
CAPTURED = $(addprefix $(O)/tests/captured/,worker tlsterm metrics acme)
$(CAPTURED): $(O)/tests/captured/%: tests/captured/%.c \
    tests/captured/captured.c tests/captured/captured.h $(LIBCOMMON)
	@mkdir -p $(@D)
	@$(CC) $(ALL_CFLAGS) $(HARDLD) $(LDFLAGS) -o $@ $< \
	    tests/captured/captured.c $(LIBCOMMON) $(LIBS_common)

# bench/keys-cost
$(O)/bench/keys_cost: bench/keys_cost.c $(LIBCOMMON) $(UNIT_OBJ_keys_test)
	@mkdir -p $(@D)
	@$(CC) $(ALL_CFLAGS) $(HARDLD) $(LDFLAGS) -o $@ $< \
	    $(UNIT_OBJ_keys_test) $(LIBCOMMON) $(UNIT_LIBS_keys_test) \
	    -lcheck -lsubunit -lm -lrt -lpthread $(LIBS_common)

unit: $(UNIT_BIN) $(CAPTURED)

# Packages; silent where nothing is missing.
deps:
	@tests/deps.sh build
deps-check:
	@tests/deps.sh check

JOBS	:= $(shell nproc)

# Everything.  One line per test, the sum at the end.
check: deps-check
	@$(MAKE) -s -j$(JOBS) all unit
	@O=$(O) MAKE="$(MAKE)" tests/check.sh

# After a change of policy: writes it anew, for git diff to be read.
golden: $(O)/tests/unit/sandbox_test
	@$< write

lint:
	@O=$(O) MAKE="$(MAKE)" tests/lint.sh

layers:
	@tests/layers.sh

ASAN = O=$(O)/asan FORTIFY=0 OPT="-O1 -g -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=all"
asan-build:
	@$(MAKE) -s $(ASAN) all unit
asan:
	@$(MAKE) -s -j$(JOBS) asan-build
	@O=$(O) MAKE="$(MAKE)" tests/check.sh asan

.PHONY: unit golden deps deps-check check lint layers asan asan-build

include tests/fuzz/fuzz.mk
