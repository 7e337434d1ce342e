/* SPDX-License-Identifier: Apache-2.0 */
#include "nvm.h"

#include <string.h>

#include "cw/err.h"

uint64_t
nvm_rand(struct nvm *m)
{
	m->rng += 0x9E3779B97F4A7C15ull;	/* splitmix64 */
	uint64_t z = m->rng;

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
	return z ^ (z >> 31);
}

void
nvm_init(struct nvm *m, uint64_t seed)
{
	memset(m, 0, sizeof *m);
	memset(m->cell, 0xFF, sizeof m->cell);
	m->rng = seed;
	m->stuck_at = -1;
	nvm_restart(m);
}

void
nvm_restart(struct nvm *m)
{
	m->dead = false;
	m->cut_at = -1;
	m->byte_cnt = 0;
	m->fail_at = -1;
	m->for_ever = false;
	m->call_cnt = 0;
}

static bool
call_fails(struct nvm *m)
{
	long n = m->call_cnt++;

	return m->dead || (m->fail_at >= 0 &&
	    (n == m->fail_at || (m->for_ever && n > m->fail_at)));
}

static int
nvm_read(void *dev, uint32_t off, uint8_t *buf, size_t len)
{
	struct nvm *m = dev;

	if (call_fails(m))
		return CW_EIO;
	if (off > NVM_LEN || len > NVM_LEN - off)
		return CW_ERANGE;
	memcpy(buf, m->cell + off, len);
	if (m->stuck_at >= 0 && (uint32_t)m->stuck_at >= off &&
	    (uint32_t)m->stuck_at < off + len)
		buf[(uint32_t)m->stuck_at - off] = m->stuck;
	return 0;
}

/* Power goes while byte `at` of a write is on its way. */
static void
cut(struct nvm *m, uint32_t at, const uint8_t *buf, size_t left)
{
	size_t i, n = NVM_PAGE - at % NVM_PAGE;

	m->dead = true;
	if (m->cut == NVM_CUT_TORN)
		m->cell[at] = (uint8_t)nvm_rand(m);
	if (m->cut == NVM_CUT_AFTER)
		m->cell[at] = buf[0];
	if (m->cut != NVM_CUT_PAGE)
		return;
	for (i = 0; i < n && i < left; i++) {
		switch (nvm_rand(m) % 3) {
		case 0:
			m->cell[at + i] = buf[i];
			break;
		case 1:
			m->cell[at + i] = (uint8_t)nvm_rand(m);
			break;
		default:
			break;
		}
	}
}

static int
nvm_write(void *dev, uint32_t off, const uint8_t *buf, size_t len)
{
	struct nvm *m = dev;
	size_t i;

	if (call_fails(m))
		return CW_EIO;
	if (off > NVM_LEN || len > NVM_LEN - off)
		return CW_ERANGE;
	for (i = 0; i < len; i++) {
		if (m->byte_cnt++ == m->cut_at) {
			cut(m, off + (uint32_t)i, buf + i, len - i);
			return CW_EIO;
		}
		m->cell[off + i] = buf[i];
	}
	return 0;
}

const struct cw_nvm_ops nvm_ops = { .read = nvm_read, .write = nvm_write };
