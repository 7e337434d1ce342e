/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cw/bytes.h"
#include "cw/crc.h"
#include "cw/err.h"
#include "settings.h"

#define COPY_LEN 256u
#define HEAD_LEN 12u
#define CRC_LEN 4u
#define BODY_LEN 134u
#define LAYOUT 1u
#define IO_TRIES 3

#define RING_OFF 512u
#define RING_LEN 512u
#define CELL_LEN 16u
#define CELL_USED 12u
#define CELL_CNT (RING_LEN / CELL_LEN)
/* Counts that are tried in other cells before one good cell must do. */
#define COUNT_TRIES 8u

static const uint8_t magic[4] = { 'C', 'W', 'S', 'T' };

const char *
cw_settings_copy_text(enum cw_settings_copy c)
{
	static const char *const text[] = {
#define X(name, text) text,
		CW_SETTINGS_COPY_MAP(X)
#undef X
	};

	return (size_t)c < sizeof text / sizeof text[0] ? text[c] : "?";
}

void
cw_settings_init(struct cw_settings_store *st, const struct cw_nvm_ops *ops,
    void *dev)
{
	memset(st, 0, sizeof *st);
	st->ops = ops;
	st->dev = dev;
	st->used = -1;
}

void
cw_settings_defaults(struct cw_settings *s)
{
	memset(s, 0, sizeof *s);
	s->ip_mode = CW_IP_DHCP;
	s->log_level = 2;
}

void
cw_settings_wipe(struct cw_settings *s)
{
	cw_wipe(s, sizeof *s);
}

/* A bus that is disturbed for a moment is asked again. */
static int
nvm_read(struct cw_settings_store *st, uint32_t off, uint8_t *buf, size_t len)
{
	int i, err = CW_EIO;

	for (i = 0; i < IO_TRIES; i++) {
		err = st->ops->read(st->dev, off, buf, len);
		if (err != CW_EIO)
			return err;
		st->retry_cnt++;
	}
	return err;
}

/* Writes and reads back: 0, or CW_EIO when it does not stand there. */
static int
nvm_put(struct cw_settings_store *st, uint32_t off, const uint8_t *buf,
    size_t len)
{
	uint8_t back[COPY_LEN];
	int i, err = CW_EIO;

	CW_ASSERT(len <= sizeof back);
	for (i = 0; i < IO_TRIES && err < 0; i++) {
		if (i > 0)
			st->retry_cnt++;
		if (st->ops->write(st->dev, off, buf, len) < 0 ||
		    st->ops->read(st->dev, off, back, len) < 0)
			continue;
		if (cw_equal_ct(back, buf, len))
			err = 0;
	}
	cw_wipe(back, sizeof back);
	if (err == 0)
		st->write_cnt++;
	return err;
}

static bool
text_ok(const char *s, size_t cap, bool blanks)
{
	size_t i;

	for (i = 0; i < cap && s[i] != '\0'; i++)
		if (s[i] < (blanks ? ' ' : '!') || s[i] > '~')
			return false;
	return i < cap;
}

static uint32_t
ip_u32(const uint8_t ip[4])
{
	return (uint32_t)ip[0] << 24 | (uint32_t)ip[1] << 16 |
	    (uint32_t)ip[2] << 8 | ip[3];
}

static const char *
check_ip(const struct cw_settings *s)
{
	uint32_t ip = ip_u32(s->ip), mask = ip_u32(s->mask);
	uint32_t gw = ip_u32(s->gateway), host = ~mask;

	if (s->ip[0] == 0 || s->ip[0] == 127 || s->ip[0] > 223)
		return "address: give one of a host, such as 192.168.7.20";
	/* host + 1 is a power of two when the mask is ones, then zeros */
	if ((host & (host + 1)) != 0 || mask == 0 || host == 0)
		return "mask: give ones followed by zeros, such as 255.255.255.0";
	if (host > 1 && ((ip & host) == 0 || (ip & host) == host))
		return "address: it is that of the network or of its broadcast";
	if (gw != 0 && ((gw ^ ip) & mask) != 0)
		return "gateway: it must be in the network of the address; 0.0.0.0 for none";
	if (gw == ip)
		return "gateway: it is the address of the reader itself";
	return NULL;
}

int
cw_settings_check(const struct cw_settings *s, const char **what)
{
	static const char *const nothing = "";
	const char *w = NULL;

	if (s->ip_mode != CW_IP_STATIC && s->ip_mode != CW_IP_DHCP)
		w = "address mode: give static or dhcp";
	else if (s->ip_mode == CW_IP_STATIC)
		w = check_ip(s);
	if (w == NULL && (s->mac[0] & 1) != 0)
		w = "MAC address: it is a group's; its first byte must be even";
	if (w == NULL && s->log_level > 4)
		w = "log level: give 0 (error) to 4 (trace)";
	if (w == NULL && !text_ok(s->name, sizeof s->name, true))
		w = "name: give at most 31 characters of ASCII";
	if (w == NULL && s->has_key && (s->key_id[0] == '\0' ||
	    !text_ok(s->key_id, sizeof s->key_id, false)))
		w = "key identity: give 1 to 31 characters of ASCII without blanks";
	*what = w != NULL ? w : nothing;
	return w != NULL ? CW_EINVAL : 0;
}

/* Text fields go out padded with zeros, whatever stands behind the NUL. */
static void
put_text(struct cw_wr *w, const char *s, size_t cap)
{
	size_t n = strlen(s);

	cw_wr_bytes(w, (const uint8_t *)s, n);
	for (; n < cap; n++)
		cw_wr_u8(w, 0);
}

/* s was checked. Bytes used of buf. */
static size_t
encode(uint8_t buf[COPY_LEN], const struct cw_settings *s, uint32_t seq)
{
	static const uint8_t no_key[CW_SETTINGS_KEY_LEN];
	struct cw_wr w = cw_wr_init(buf, COPY_LEN);

	cw_wr_bytes(&w, magic, sizeof magic);
	cw_wr_u16(&w, LAYOUT);
	cw_wr_u16(&w, BODY_LEN);
	cw_wr_u32(&w, seq);
	cw_wr_u8(&w, (uint8_t)s->ip_mode);
	cw_wr_u8(&w, s->plain_allowed);
	cw_wr_u8(&w, s->log_level);
	cw_wr_u8(&w, s->has_key);
	cw_wr_bytes(&w, s->ip, 4);
	cw_wr_bytes(&w, s->mask, 4);
	cw_wr_bytes(&w, s->gateway, 4);
	cw_wr_bytes(&w, s->mac, sizeof s->mac);
	cw_wr_bytes(&w, s->serial, sizeof s->serial);
	put_text(&w, s->name, sizeof s->name);
	put_text(&w, s->has_key ? s->key_id : "", sizeof s->key_id);
	cw_wr_bytes(&w, s->has_key ? s->key : no_key, sizeof s->key);
	CW_ASSERT(!w.bad && w.len == HEAD_LEN + BODY_LEN);
	cw_wr_u32(&w, cw_crc32(0, buf, w.len));
	return w.len;
}

static enum cw_settings_copy
decode_body(const uint8_t *body, struct cw_settings *s)
{
	struct cw_rd r = cw_rd_init(body, BODY_LEN);
	const char *what;
	uint8_t mode, plain, has_key;

	memset(s, 0, sizeof *s);
	mode = cw_rd_u8(&r);
	plain = cw_rd_u8(&r);
	s->log_level = cw_rd_u8(&r);
	has_key = cw_rd_u8(&r);
	cw_rd_copy(&r, s->ip, 4);
	cw_rd_copy(&r, s->mask, 4);
	cw_rd_copy(&r, s->gateway, 4);
	cw_rd_copy(&r, s->mac, sizeof s->mac);
	cw_rd_copy(&r, s->serial, sizeof s->serial);
	cw_rd_copy(&r, (uint8_t *)s->name, sizeof s->name);
	cw_rd_copy(&r, (uint8_t *)s->key_id, sizeof s->key_id);
	cw_rd_copy(&r, s->key, sizeof s->key);
	if (mode > CW_IP_DHCP || plain > 1 || has_key > 1)
		return CW_COPY_RANGE;
	s->ip_mode = (enum cw_ip_mode)mode;
	s->plain_allowed = plain != 0;
	s->has_key = has_key != 0;
	return cw_settings_check(s, &what) < 0 ? CW_COPY_RANGE : CW_COPY_GOOD;
}

static bool
all_are(const uint8_t *buf, size_t len, uint8_t v)
{
	size_t i;

	for (i = 0; i < len && buf[i] == v; i++)
		;
	return i == len;
}

/* A later layout may have appended fields: they are under the CRC and passed over. */
static enum cw_settings_copy
decode(const uint8_t buf[COPY_LEN], struct cw_settings *s, uint32_t *seq)
{
	struct cw_rd r = cw_rd_init(buf, COPY_LEN);
	const uint8_t *m = cw_rd_bytes(&r, sizeof magic);
	uint16_t layout = cw_rd_u16(&r), body = cw_rd_u16(&r);

	*seq = cw_rd_u32(&r);
	if (all_are(buf, COPY_LEN, 0xFF) || all_are(buf, COPY_LEN, 0))
		return CW_COPY_BLANK;
	if (memcmp(m, magic, sizeof magic) != 0 ||
	    body > COPY_LEN - HEAD_LEN - CRC_LEN)
		return CW_COPY_TORN;
	cw_rd_bytes(&r, body);
	if (cw_rd_u32(&r) != cw_crc32(0, buf, HEAD_LEN + body))
		return CW_COPY_TORN;
	if (layout != LAYOUT || body < BODY_LEN)
		return CW_COPY_VERSION;
	return decode_body(buf + HEAD_LEN, s);
}

/* Looks at both copies; s, if not NULL, gets the newer good one. */
static void
scan(struct cw_settings_store *st, struct cw_settings *s)
{
	uint8_t buf[COPY_LEN];
	struct cw_settings one;
	int i;

	st->used = -1;
	for (i = 0; i < 2; i++) {
		if (nvm_read(st, (uint32_t)i * COPY_LEN, buf, COPY_LEN) < 0)
			st->copy[i] = CW_COPY_UNREAD;
		else
			st->copy[i] = decode(buf, &one, &st->seq[i]);
		if (st->copy[i] != CW_COPY_GOOD || (st->used >= 0 &&
		    (int32_t)(st->seq[i] - st->seq[st->used]) <= 0))
			continue;
		st->used = i;
		*s = one;
	}
	cw_wipe(&one, sizeof one);
	cw_wipe(buf, sizeof buf);
}

int
cw_settings_load(struct cw_settings_store *st, struct cw_settings *s)
{
	cw_settings_defaults(s);
	scan(st, s);
	if (st->used >= 0)
		return 0;
	if (st->copy[0] == CW_COPY_UNREAD || st->copy[1] == CW_COPY_UNREAD)
		return CW_EIO;
	return st->copy[0] == CW_COPY_BLANK && st->copy[1] == CW_COPY_BLANK ?
	    CW_ENOENT : CW_ECRC;
}

/* Makes copy i hold buf: 1 written, 0 it did already, CW_EIO. */
static int
copy_put(struct cw_settings_store *st, int i, const uint8_t *buf, size_t len)
{
	uint32_t off = (uint32_t)i * COPY_LEN;
	uint8_t have[COPY_LEN];
	int ret = 1;

	if (nvm_read(st, off, have, len) == 0 && cw_equal_ct(have, buf, len))
		ret = 0;
	else if (nvm_put(st, off, buf, len) < 0)
		ret = CW_EIO;
	st->copy[i] = ret < 0 ? CW_COPY_TORN : CW_COPY_GOOD;
	cw_wipe(have, sizeof have);
	return ret;
}

/* Does the used copy say the same as s?  Then s goes under its number. */
static bool
unchanged(const struct cw_settings_store *st, const struct cw_settings *now,
    const struct cw_settings *s)
{
	uint8_t a[COPY_LEN], b[COPY_LEN];
	size_t len;
	bool same;

	if (st->used < 0)
		return false;
	len = encode(a, now, 0);
	same = encode(b, s, 0) == len && cw_equal_ct(a, b, len);
	cw_wipe(a, sizeof a);
	cw_wipe(b, sizeof b);
	return same;
}

/* Both copies, the one in use last: 0..2 written, or CW_EIO. */
static int
copies_put(struct cw_settings_store *st, const uint8_t *buf, size_t len,
    bool same)
{
	int first = st->used == 0 ? 1 : 0;
	int a, b;

	a = copy_put(st, first, buf, len);
	/* The last good copy is touched only once the other one stands. */
	if (a < 0 && st->used >= 0)
		return same ? 0 : CW_EIO;
	b = copy_put(st, 1 - first, buf, len);
	if (a < 0 && b < 0)
		return CW_EIO;
	st->used = a < 0 ? 1 - first : first;
	return (a > 0) + (b > 0);
}

int
cw_settings_save(struct cw_settings_store *st, const struct cw_settings *s)
{
	struct cw_settings now;
	uint8_t buf[COPY_LEN];
	const char *what;
	uint32_t seq;
	bool same;
	int cnt;
	size_t len;

	if (cw_settings_check(s, &what) < 0)
		return CW_EINVAL;
	cw_settings_defaults(&now);
	scan(st, &now);
	same = unchanged(st, &now, s);
	cw_settings_wipe(&now);
	/* An unread copy may be the newer one: nothing can be put above it. */
	if (st->copy[0] == CW_COPY_UNREAD || st->copy[1] == CW_COPY_UNREAD)
		return CW_EIO;

	seq = st->used < 0 ? 1 : st->seq[st->used] + !same;
	len = encode(buf, s, seq);
	cnt = copies_put(st, buf, len, same);
	cw_wipe(buf, sizeof buf);
	if (cnt >= 0)
		st->seq[st->used] = seq;
	return cnt;
}

static bool
cell_get(const uint8_t cell[CELL_LEN], uint64_t *count)
{
	struct cw_rd r = cw_rd_init(cell, CELL_LEN);

	*count = cw_rd_u64(&r);
	return *count != 0 && cw_rd_u32(&r) == cw_crc32(0, cell, 8);
}

/* The highest count of both rings, 0 if there is none; CW_EIO. */
static int
rings_read(struct cw_settings_store *st, uint64_t *max)
{
	uint8_t cell[CELL_LEN];
	uint64_t count;
	uint32_t i;

	*max = 0;
	for (i = 0; i < 2 * CELL_CNT; i++) {
		if (nvm_read(st, RING_OFF + i * CELL_LEN, cell, CELL_LEN) < 0)
			return CW_EIO;
		if (cell_get(cell, &count) && count > *max)
			*max = count;
	}
	return 0;
}

/* In how many of the two rings does count stand now? */
static int
rings_put(struct cw_settings_store *st, uint64_t count)
{
	uint8_t cell[CELL_LEN];
	struct cw_wr w = cw_wr_init(cell, sizeof cell);
	uint32_t i, off = RING_OFF + (uint32_t)(count % CELL_CNT) * CELL_LEN;
	int good = 0;

	cw_wr_u64(&w, count);
	cw_wr_u32(&w, cw_crc32(0, cell, 8));
	for (i = 0; i < 2; i++) {
		if (nvm_put(st, off + i * RING_LEN, cell, CELL_USED) == 0)
			good++;
		else
			st->boot_bad_cnt++;
	}
	return good;
}

static int
count_from(struct cw_settings_store *st, uint64_t max, uint64_t *out)
{
	uint64_t single = 0;
	uint32_t i;
	int good;

	for (i = 1; i <= COUNT_TRIES; i++) {
		good = rings_put(st, max + i);
		if (good == 2) {
			*out = max + i;
			return 0;
		}
		if (good == 1)
			single = max + i;
	}
	*out = single;
	return single != 0 ? 0 : CW_EIO;
}

int
cw_settings_boot(struct cw_settings_store *st, const struct cw_settings *s,
    uint64_t *count)
{
	uint64_t max;

	*count = 0;
	if (rings_read(st, &max) < 0)
		return CW_EIO;
	if (max == 0 && s->has_key)
		return CW_ESTATE;
	return count_from(st, max, count);
}

int
cw_settings_boot_restart(struct cw_settings_store *st)
{
	uint64_t max;

	if (rings_read(st, &max) < 0)
		return CW_EIO;
	return max != 0 ? 0 : count_from(st, 0, &max);
}
