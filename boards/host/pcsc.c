/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <winscard.h>

#include "cw/apdu.h"
#include "cw/bytes.h"
#include "host_private.h"

/*
 * Card back end: an ordinary PC/SC reader.  The calls of winscard block, so they
 * are made by a thread of this station's own; it takes one order at a time, and
 * what has become of it goes to the loop by an async handle.  Between orders it
 * watches the reader and its card.
 *
 * NAME is the reader's name in full, or its beginning.  It may come and go, and so
 * may pcscd.
 */
#define AGAIN_MS 1000		/* pcscd is away */
#define WATCH_MS 250		/* at most, until an order is seen */
#define POWERED_WATCH_MS 200	/* is the card still there? */
#define NAME_CAP 128

enum order { ORDER_NONE, ORDER_OFF, ORDER_COLD, ORDER_WARM, ORDER_APDU };

/* Members after mu are shared, those before `order` are the thread's own. */
struct cw_host_pcsc {
	struct cw_host *host;
	char name[NAME_CAP];
	uv_async_t async;
	pthread_t thread;

	SCARDCONTEXT ctx;	/* 0: none */
	SCARDHANDLE card;
	bool connected;
	DWORD protocol;
	char reader[NAME_CAP];	/* "": not found */
	DWORD state;		/* as SCardGetStatusChange told last */
	uint8_t cmd[CW_APDU_CMD_MAX];
	uint8_t rsp[CW_APDU_RSP_MAX];

	pthread_mutex_t mu;
	pthread_cond_t cv;
	enum order order;
	size_t cmd_len;
	unsigned int turn;	/* rises with each order; an abort makes it stale */
	bool stop, started;
	bool watching;		/* blocked in SCardGetStatusChange */
	bool present;		/* as the thread sees it */
	unsigned int inserted;	/* insertions so far */
	char words[256];	/* for the log; "": none */
	int level;

	enum order done;	/* not yet taken by the loop */
	unsigned int done_turn;
	int err;
	size_t rsp_len;

	bool told_present;	/* the loop's: what the core knows */
	unsigned int told_inserted;
	bool up;		/* thread and async are there */
};

/* ---- the thread: words -------------------------------------------------------- */

static void
say(struct cw_host_pcsc *p, int level, const char *what, const char *why)
{
	size_t len;

	/* What the loop has not read yet stays before it. */
	pthread_mutex_lock(&p->mu);
	len = strlen(p->words);
	p->level = len == 0 || level < p->level ? level : p->level;
	snprintf(p->words + len, sizeof p->words - len, "%s%s%s%s",
	    len > 0 ? "; " : "", what, why[0] != '\0' ? ": " : "", why);
	pthread_mutex_unlock(&p->mu);
	uv_async_send(&p->async);
}

static void
set_present(struct cw_host_pcsc *p, bool present, bool changed)
{
	pthread_mutex_lock(&p->mu);
	changed = present != p->present || (present && changed);
	if (present && changed)
		p->inserted++;
	p->present = present;
	pthread_mutex_unlock(&p->mu);
	if (changed)
		uv_async_send(&p->async);
}

/* A CW_E* for what winscard says; the words go to the log. */
static int
failed(struct cw_host_pcsc *p, LONG rv, const char *what)
{
	switch (rv) {
	case SCARD_E_NO_SMARTCARD:
	case SCARD_W_REMOVED_CARD:
		return CW_EREMOVED;
	case SCARD_W_UNRESPONSIVE_CARD:
	case SCARD_W_UNPOWERED_CARD:
	case SCARD_W_UNSUPPORTED_CARD:
		return CW_EMUTE;
	case SCARD_E_NOT_TRANSACTED:
	case SCARD_E_TIMEOUT:
		return CW_ETIMEOUT;
	case SCARD_E_SHARING_VIOLATION:
		say(p, 0, "another program uses the reader; stop it", "");
		return CW_EBUSY;
	case SCARD_E_READER_UNAVAILABLE:
	case SCARD_E_UNKNOWN_READER:
		say(p, 0, "the reader was unplugged", p->reader);
		return CW_EIO;
	default:
		say(p, 0, what, pcsc_stringify_error(rv));
		return CW_EIO;
	}
}

/* ---- the thread: orders ------------------------------------------------------- */

#define PROTOCOLS (SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1)

static int
do_off(struct cw_host_pcsc *p)
{
	if (p->connected)
		SCardDisconnect(p->card, SCARD_UNPOWER_CARD);
	p->connected = false;
	return 0;
}

static int
do_on(struct cw_host_pcsc *p, bool warm)
{
	bool cold = p->connected || (p->state & SCARD_STATE_UNPOWERED) == 0;
	DWORD len = 33, state, protocol, name_len = 0;
	LONG rv = SCARD_S_SUCCESS;

	if (p->ctx == 0 || p->reader[0] == '\0')
		return CW_EIO;
	if (!p->connected)
		rv = SCardConnect(p->ctx, p->reader, SCARD_SHARE_EXCLUSIVE,
		    PROTOCOLS, &p->card, &p->protocol);
	if (rv != SCARD_S_SUCCESS)
		return failed(p, rv, "SCardConnect");
	p->connected = true;

	/* A card that somebody else has had in power may remember him. */
	if (cold || warm)
		rv = SCardReconnect(p->card, SCARD_SHARE_EXCLUSIVE, PROTOCOLS,
		    warm ? SCARD_RESET_CARD : SCARD_UNPOWER_CARD, &p->protocol);
	if (rv == SCARD_S_SUCCESS)
		rv = SCardStatus(p->card, NULL, &name_len, &state, &protocol,
		    p->rsp, &len);
	if (rv == SCARD_S_SUCCESS) {
		p->rsp_len = len;
		return 0;
	}
	rv = failed(p, rv, "SCardReconnect");
	do_off(p);
	return (int)rv;
}

/* One exchange; the response goes to rsp + off. */
static LONG
exchange(struct cw_host_pcsc *p, const uint8_t *cmd, size_t len, size_t off)
{
	const SCARD_IO_REQUEST *pci = p->protocol == SCARD_PROTOCOL_T1 ?
	    SCARD_PCI_T1 : SCARD_PCI_T0;
	DWORD n = (DWORD)(sizeof p->rsp - off);
	LONG rv;

	rv = SCardTransmit(p->card, pci, cmd, (DWORD)len, NULL, p->rsp + off, &n);
	p->rsp_len = off + n;
	return rv;
}

/*
 * T=0 (ISO/IEC 7816-3, 12.2): the Le of case 4 is not sent, 61xx is followed by GET
 * RESPONSE and 6Cxx by the command anew, unless the reader has done it already.
 */
static LONG
exchange_t0(struct cw_host_pcsc *p, const struct cw_apdu *a, size_t len)
{
	uint8_t get[5] = { a->cla, 0xc0, 0, 0, 0 };
	size_t off = 0, rounds;
	LONG rv = exchange(p, p->cmd, len - (a->kind == CW_APDU_4S), 0);

	for (rounds = 0; rv == SCARD_S_SUCCESS && rounds < 260; rounds++) {
		uint8_t sw1, sw2;

		if (p->rsp_len < off + 2)
			break;
		sw1 = p->rsp[p->rsp_len - 2];
		sw2 = p->rsp[p->rsp_len - 1];
		if (sw1 == 0x6c && a->kind == CW_APDU_2S && rounds == 0 &&
		    p->rsp_len == 2) {
			p->cmd[4] = sw2;
			rv = exchange(p, p->cmd, len, 0);
		} else if (sw1 == 0x61 && a->le > 0 && p->rsp_len - 2 < a->le) {
			off = p->rsp_len - 2;
			get[4] = sw2;
			rv = exchange(p, get, sizeof get, off);
		} else {
			break;
		}
	}
	return rv;
}

static int
do_apdu(struct cw_host_pcsc *p, size_t len)
{
	struct cw_apdu a;
	LONG rv;

	p->rsp_len = 0;
	if (!p->connected)
		return CW_EREMOVED;
	if (cw_apdu_parse(&a, p->cmd, len) < 0)
		return CW_EPROTO;
	if (p->protocol != SCARD_PROTOCOL_T0) {
		rv = exchange(p, p->cmd, len, 0);
	} else if (a.kind >= CW_APDU_2E) {
		say(p, 0, "an extended APDU cannot go through a PC/SC reader to a "
		    "card of T=0", "");
		return CW_EUNSUPPORTED;
	} else {
		rv = exchange_t0(p, &a, len);
	}
	if (rv == SCARD_S_SUCCESS)
		return p->rsp_len >= 2 ? 0 : CW_EPROTO;
	return failed(p, rv, "SCardTransmit");
}

static void
order_do(struct cw_host_pcsc *p, enum order o, size_t len)
{
	unsigned int turn = p->turn;
	int err;

	pthread_mutex_unlock(&p->mu);
	if (o == ORDER_APDU)
		err = do_apdu(p, len);
	else
		err = o == ORDER_OFF ? do_off(p) : do_on(p, o == ORDER_WARM);
	cw_wipe(p->cmd, len);
	pthread_mutex_lock(&p->mu);
	p->done = o;
	p->done_turn = turn;
	p->err = err;
	uv_async_send(&p->async);

	/* The answer stands in rsp until the loop has given it to the core. */
	while (p->done != ORDER_NONE && !p->stop)
		pthread_cond_wait(&p->cv, &p->mu);
	cw_wipe(p->rsp, p->rsp_len);
	p->rsp_len = 0;
}

/* ---- the thread: watching ------------------------------------------------------ */

static void
ctx_drop(struct cw_host_pcsc *p)
{
	if (p->ctx != 0) {
		do_off(p);
		SCardReleaseContext(p->ctx);
	}
	p->ctx = 0;
	p->reader[0] = '\0';
	set_present(p, false, false);
}

/* The reader that NAME means, in p->reader: true when there is one. */
static bool
reader_find(struct cw_host_pcsc *p)
{
	size_t len = strlen(p->name);
	char *list = NULL, *r;
	DWORD list_len = SCARD_AUTOALLOCATE;

	if (SCardListReaders(p->ctx, NULL, (LPSTR)&list, &list_len) !=
	    SCARD_S_SUCCESS)
		return false;
	for (r = list; *r != '\0'; r += strlen(r) + 1)
		if (strncmp(r, p->name, len) == 0 && strlen(r) < NAME_CAP)
			break;
	strcpy(p->reader, *r != '\0' ? r : "");
	SCardFreeMemory(p->ctx, list);
	if (p->reader[0] == '\0')
		return false;
	p->state = SCARD_STATE_UNAWARE;
	say(p, 2, "reader", p->reader);
	return true;
}

/* One look at the reader, of ms at most. */
static void
watch(struct cw_host_pcsc *p, DWORD ms)
{
	SCARD_READERSTATE rs = {
		.szReader = p->reader, .dwCurrentState = p->state,
	};
	DWORD before = p->state;
	LONG rv = SCardGetStatusChange(p->ctx, ms, &rs, 1);

	if (rv == SCARD_S_SUCCESS) {
		p->state = rs.dwEventState & ~(DWORD)SCARD_STATE_CHANGED;
		set_present(p, (p->state & SCARD_STATE_PRESENT) != 0,
		    before >> 16 != p->state >> 16 && before != 0);
		if ((p->state & (SCARD_STATE_UNKNOWN | SCARD_STATE_UNAVAILABLE)) == 0)
			return;
		rv = SCARD_E_UNKNOWN_READER;
	}
	if (rv == SCARD_E_TIMEOUT || rv == SCARD_E_CANCELLED)
		return;
	if (rv == SCARD_E_UNKNOWN_READER || rv == SCARD_E_READER_UNAVAILABLE) {
		say(p, 1, "the reader has gone", p->reader);
		do_off(p);
		p->reader[0] = '\0';
		set_present(p, false, false);
		return;
	}
	say(p, 0, "pcscd has gone; is it running?", pcsc_stringify_error(rv));
	ctx_drop(p);
}

static void
doze(struct cw_host_pcsc *p, long ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_nsec += ms * 1000000;
	ts.tv_sec += ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	pthread_mutex_lock(&p->mu);
	if (p->order == ORDER_NONE && !p->stop)
		pthread_cond_timedwait(&p->cv, &p->mu, &ts);
	pthread_mutex_unlock(&p->mu);
}

/* Without an order: context, reader, card; each call within WATCH_MS or so. */
static void
idle(struct cw_host_pcsc *p, bool *told)
{
	LONG rv = SCARD_S_SUCCESS;

	if (p->ctx == 0) {
		rv = SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &p->ctx);
		if (rv != SCARD_S_SUCCESS) {
			p->ctx = 0;
			if (!*told)
				say(p, 0, "pcscd does not answer; start it "
				    "(systemctl start pcscd)",
				    pcsc_stringify_error(rv));
			*told = true;
			doze(p, AGAIN_MS);
			return;
		}
	}
	if (p->reader[0] == '\0' && !reader_find(p)) {
		if (!*told)
			say(p, 1, "no such PC/SC reader yet; pcsc_scan lists them",
			    p->name);
		*told = true;
		if (SCardIsValidContext(p->ctx) != SCARD_S_SUCCESS)
			ctx_drop(p);
		doze(p, AGAIN_MS / 4);
		return;
	}
	*told = false;
	if (p->connected) {
		doze(p, POWERED_WATCH_MS);
		pthread_mutex_lock(&p->mu);
		rv = p->order;
		pthread_mutex_unlock(&p->mu);
		if (rv == ORDER_NONE)
			watch(p, 0);
		return;
	}
	pthread_mutex_lock(&p->mu);
	p->watching = p->order == ORDER_NONE && !p->stop;
	rv = p->watching;
	pthread_mutex_unlock(&p->mu);
	if (rv != 0)
		watch(p, WATCH_MS);
	pthread_mutex_lock(&p->mu);
	p->watching = false;
	pthread_mutex_unlock(&p->mu);
}

static void *
run(void *arg)
{
	struct cw_host_pcsc *p = arg;
	bool told = false;
	enum order o;

	pthread_mutex_lock(&p->mu);
	while (!p->stop) {
		o = p->order;
		p->order = ORDER_NONE;
		if (o != ORDER_NONE) {
			order_do(p, o, p->cmd_len);
			continue;
		}
		pthread_mutex_unlock(&p->mu);
		idle(p, &told);
		pthread_mutex_lock(&p->mu);
	}
	pthread_mutex_unlock(&p->mu);
	ctx_drop(p);
	return NULL;
}

/* ---- the loop ------------------------------------------------------------------ */

static void
give_done(struct cw_host *h)
{
	struct cw_host_pcsc *p = h->pcsc;
	struct cw_event ev = { .kind = CW_EV_POWERED };
	bool fresh;

	pthread_mutex_lock(&p->mu);
	if (p->done == ORDER_APDU)
		ev.kind = CW_EV_APDU;
	ev.err = p->err;
	if (p->err == 0 && p->done != ORDER_OFF) {
		ev.buf = p->rsp;
		ev.len = p->rsp_len;
	}
	fresh = p->done != ORDER_NONE && p->done_turn == p->turn;
	pthread_mutex_unlock(&p->mu);
	if (fresh)
		cw_host_deliver(h, &ev);
	pthread_mutex_lock(&p->mu);
	p->done = ORDER_NONE;
	pthread_cond_broadcast(&p->cv);
	pthread_mutex_unlock(&p->mu);
}

static void
give_presence(struct cw_host *h)
{
	struct cw_host_pcsc *p = h->pcsc;
	struct cw_event ev = { .kind = CW_EV_CARD };
	unsigned int inserted;
	bool present;

	pthread_mutex_lock(&p->mu);
	present = p->present;
	inserted = p->inserted;
	pthread_mutex_unlock(&p->mu);
	if (p->told_present && (!present || inserted != p->told_inserted)) {
		p->told_present = false;
		cw_host_deliver(h, &ev);
	}
	if (present && !p->told_present) {
		p->told_present = true;
		ev.len = 1;
		cw_host_deliver(h, &ev);
	}
	p->told_inserted = inserted;
}

static void
woken(uv_async_t *async)
{
	struct cw_host *h = async->data;
	struct cw_host_pcsc *p = h->pcsc;
	char words[256];
	int level;

	if (h->closing)
		return;
	pthread_mutex_lock(&p->mu);
	memcpy(words, p->words, sizeof words);
	p->words[0] = '\0';
	level = p->level;
	pthread_mutex_unlock(&p->mu);
	if (words[0] != '\0')
		cw_host_log(h, level, "pcsc", "what=\"%s\"", words);
	give_done(h);
	give_presence(h);
}

/* ---- ops ----------------------------------------------------------------------- */

/* The thread hears of it at once, wherever it waits. */
static int
submit(struct cw_host_pcsc *p, enum order o, const uint8_t *buf, size_t len)
{
	SCARDCONTEXT ctx = 0;

	if (len > sizeof p->cmd)
		return CW_ETOOBIG;
	pthread_mutex_lock(&p->mu);
	if (len > 0)
		memcpy(p->cmd, buf, len);
	p->cmd_len = len;
	p->order = o;
	p->turn++;
	if (p->watching)
		ctx = p->ctx;
	pthread_cond_broadcast(&p->cv);
	pthread_mutex_unlock(&p->mu);
	if (ctx != 0)
		SCardCancel(ctx);
	return 0;
}

static int
pcsc_power(void *dev, uint8_t slot, enum cw_apdu_power how)
{
	(void)slot;
	return submit(((struct cw_host *)dev)->pcsc, how == CW_APDU_OFF ?
	    ORDER_OFF : how == CW_APDU_WARM ? ORDER_WARM : ORDER_COLD, NULL, 0);
}

static int
pcsc_transmit(void *dev, uint8_t slot, const uint8_t *buf, size_t len)
{
	(void)slot;
	return submit(((struct cw_host *)dev)->pcsc, ORDER_APDU, buf, len);
}

/* The call goes on in the thread; its answer is dropped. */
static void
pcsc_abort(void *dev, uint8_t slot)
{
	struct cw_host_pcsc *p = ((struct cw_host *)dev)->pcsc;

	(void)slot;
	pthread_mutex_lock(&p->mu);
	p->turn++;
	p->order = ORDER_NONE;
	pthread_mutex_unlock(&p->mu);
}

static int
pcsc_present(void *dev, uint8_t slot)
{
	(void)slot;
	return ((struct cw_host *)dev)->pcsc->told_present;
}

static const struct cw_apdu_ops pcsc_ops = {
	pcsc_power, pcsc_transmit, pcsc_abort, pcsc_present,
};

/* ---- life ---------------------------------------------------------------------- */

static int
pcsc_prepare(struct cw_host *h)
{
	h->pcsc = calloc(1, sizeof *h->pcsc);
	return h->pcsc == NULL ? CW_ENOMEM : 0;
}

static int
pcsc_open(struct cw_host *h, const char *spec)
{
	struct cw_host_pcsc *p = h->pcsc;

	if (*spec == '\0' || strlen(spec) >= sizeof p->name)
		return CW_EFORMAT;
	strcpy(p->name, spec);
	p->host = h;
	pthread_mutex_init(&p->mu, NULL);
	pthread_cond_init(&p->cv, NULL);
	uv_async_init(h->env->loop, &p->async, woken);
	p->async.data = h;
	h->handles++;
	p->up = true;
	p->started = pthread_create(&p->thread, NULL, run, p) == 0;
	return p->started ? 0 : CW_ENOMEM;
}

static void
pcsc_flush(struct cw_host *h)
{
	(void)h;
}

static void
pcsc_close(struct cw_host *h)
{
	struct cw_host_pcsc *p = h->pcsc;

	if (!p->up)
		return;
	pthread_mutex_lock(&p->mu);
	p->stop = true;
	pthread_cond_broadcast(&p->cv);
	pthread_mutex_unlock(&p->mu);
	if (p->started)
		pthread_join(p->thread, NULL);
	uv_close((uv_handle_t *)&p->async, cw_host_handle_closed);
}

static void
pcsc_free(struct cw_host *h)
{
	struct cw_host_pcsc *p = h->pcsc;

	if (p == NULL)
		return;
	if (p->up) {
		pthread_mutex_destroy(&p->mu);
		pthread_cond_destroy(&p->cv);
	}
	cw_wipe(p, sizeof *p);
	free(p);
	h->pcsc = NULL;
}

const struct cw_host_backend cw_host_pcsc = {
	.apdu = &pcsc_ops,
	.prepare = pcsc_prepare,
	.open = pcsc_open,
	.flush = pcsc_flush,
	.close = pcsc_close,
	.free = pcsc_free,
};
