# Fuzzing: included by tests.mk.
#
#	make fuzz			every target, FUZZ_SECS each
#	make fuzz-hello FUZZ_SECS=3600	one of them for an hour
#
# tests/fuzz/fz_NAME.c asserts what must hold for any input.  Its seeds are in
# tests/fuzz/corpus/NAME; what is found goes to $(O)/fuzz, never back by itself.

FUZZ_SECS ?= 10
FUZZ_CC	?= clang
FUZZ_O	 = $(O)/fuzz
FUZZ_SAN = -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all
# Warnings are for `all` and `lint`.
FUZZ_CFLAGS = -std=c11 -D_GNU_SOURCE -fno-strict-aliasing -I. -MMD -MP \
	  $(FUZZ_SAN)

FUZZ	:= $(patsubst tests/fuzz/fz_%.c,%,$(sort $(wildcard tests/fuzz/fz_*.c)))
FUZZ_BIN = $(addprefix $(FUZZ_O)/fz_,$(FUZZ))
FUZZ_COMMON := $(patsubst %.c,$(O)/fuzz/obj/%.o,$(COMMON_SRC))

# A long hello has as many prefixes as bytes; a short one as much to say.
FUZZ_ARGS_hello	    = -max_len=2048
FUZZ_ARGS_proxy	    = -max_len=512
FUZZ_ARGS_probe	    = -max_len=512
FUZZ_ARGS_http_host = -max_len=1024
FUZZ_ARGS_http1	    = -max_len=2048
FUZZ_ARGS_h1resp    = -max_len=2048
FUZZ_ARGS_http2     = -max_len=2048
FUZZ_ARGS_h2conn    = -max_len=4096
FUZZ_ARGS_fspath    = -max_len=5000
FUZZ_ARGS_accept    = -max_len=256
FUZZ_ARGS_listing   = -max_len=256
FUZZ_ARGS_ipc	    = -max_len=4096
FUZZ_ARGS_signer    = -max_len=512
FUZZ_ARGS_acme	    = -max_len=2048
FUZZ_ARGS_certinfo  = -max_len=1500
FUZZ_ARGS_request   = -max_len=1024

# What a target needs of a role.
FUZZ_OBJ_http1	= $(addprefix $(FUZZ_O)/obj/tlsterm/,http1.o request.o \
	chunked.o)
FUZZ_OBJ_h1resp	= $(addprefix $(FUZZ_O)/obj/tlsterm/,forward_head.o uphead.o \
	http1.o request.o)
FUZZ_OBJ_http2	= $(addprefix $(FUZZ_O)/obj/tlsterm/,http2.o request.o)
FUZZ_OBJ_h2conn	= $(addprefix $(FUZZ_O)/obj/tlsterm/,h2.o h2_session.o \
	h2_stream.o h2_window.o h2_forward.o h2_limit.o http2.o request.o \
	response.o body.o blob.o range.o)
FUZZ_LIBS_h2conn = -lnghttp2
FUZZ_OBJ_fspath	= $(addprefix $(FUZZ_O)/obj/tlsterm/,fspath.o)
FUZZ_OBJ_accept	= $(addprefix $(FUZZ_O)/obj/tlsterm/,accept.o)
FUZZ_OBJ_listing = $(addprefix $(FUZZ_O)/obj/tlsterm/,listing.o httpdate.o \
	fspath.o)
FUZZ_OBJ_ipc	= $(addprefix $(FUZZ_O)/obj/proxy/,record.o)
FUZZ_OBJ_request = $(addprefix $(FUZZ_O)/obj/metrics/,request.o)
FUZZ_OBJ_signer	= $(addprefix $(FUZZ_O)/obj/keys/,signer.o)
FUZZ_LIBS_signer = -lcrypto
FUZZ_OBJ_acme	= $(addprefix $(FUZZ_O)/obj/,master/ledger.o acme/jws.o \
	acme/http_url.o)
FUZZ_LIBS_acme	= -lcrypto
$(foreach t,$(FUZZ),$(eval $(FUZZ_O)/fz_$(t): $(FUZZ_OBJ_$(t))))

$(FUZZ_O)/obj/%.o: %.c
	@mkdir -p $(@D)
	@$(FUZZ_CC) $(FUZZ_CFLAGS) \
	    -fsanitize=fuzzer-no-link,address,undefined -c -o $@ $<

$(FUZZ_O)/libcommon.a: $(FUZZ_COMMON)
	@rm -f $@
	@$(AR) rcs $@ $(FUZZ_COMMON)

$(FUZZ_BIN): $(FUZZ_O)/fz_%: tests/fuzz/fz_%.c $(FUZZ_O)/libcommon.a
	@$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer,address,undefined \
	    -o $@ $< $(FUZZ_OBJ_$*) $(FUZZ_O)/libcommon.a -Wl,--as-needed $(LIBS_common) \
	    $(FUZZ_LIBS_$*)

fuzz-build: $(FUZZ_BIN)

# Says nothing but the result; the log of a failure is its end.
FUZZ_RUN = $(addprefix fuzz-,$(FUZZ))
$(FUZZ_RUN): fuzz-%: $(FUZZ_O)/fz_%
	@mkdir -p $(FUZZ_O)/corpus/$*
	@if $(FUZZ_O)/fz_$* -max_total_time=$(FUZZ_SECS) -timeout=10 \
	    -artifact_prefix=$(FUZZ_O)/$*- $(FUZZ_ARGS_$*) \
	    $(FUZZ_O)/corpus/$* $(wildcard tests/fuzz/corpus/$*) \
	    >$(FUZZ_O)/$*.log 2>&1; \
	then echo "fuzz $*: $$(grep '^Done' $(FUZZ_O)/$*.log)"; \
	else tail -40 $(FUZZ_O)/$*.log; echo "fuzz $*: FAILED"; exit 1; fi

# One after the other, whatever -j says.
fuzz: fuzz-build
	@for t in $(FUZZ); do $(MAKE) -s fuzz-$$t || exit 1; done

-include $(shell find $(O)/fuzz -name '*.d' 2>/dev/null)

.PHONY: fuzz fuzz-build $(FUZZ_RUN)
