/* SPDX-License-Identifier: Apache-2.0 */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cw/err.h"
#include "vb_priv.h"

/* The image and its symbols.  The file is not trusted. */
#define FILE_MAX (16u << 20)

struct image {
	uint8_t *buf;
	size_t len;
};

static int
read_whole(const char *path, struct image *im)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	if (f == NULL)
		return CW_ENOENT;
	im->buf = malloc(FILE_MAX);
	if (im->buf == NULL) {
		fclose(f);
		return CW_ENOMEM;
	}
	n = fread(im->buf, 1, FILE_MAX, f);
	fclose(f);
	im->len = n;
	return n < sizeof(Elf32_Ehdr) || n == FILE_MAX ? CW_EFORMAT : 0;
}

/* Bytes of the file, copied for their alignment. */
static bool
take(const struct image *im, uint64_t off, void *to, size_t len)
{
	if (off > im->len || im->len - off < len)
		return false;
	memcpy(to, im->buf + off, len);
	return true;
}

static int
load_parts(struct cw_vb *vb, const struct image *im, const Elf32_Ehdr *eh)
{
	Elf32_Phdr ph;
	uint32_t off;
	int i;

	for (i = 0; i < eh->e_phnum; i++) {
		if (!take(im, eh->e_phoff + (uint64_t)i * eh->e_phentsize, &ph, sizeof ph))
			return CW_EFORMAT;
		if (ph.p_type != PT_LOAD || ph.p_filesz == 0)
			continue;
		off = ph.p_paddr - CW_BOARD_FLASH_BASE;
		if (off > CW_VB_FLASH_LEN || CW_VB_FLASH_LEN - off < ph.p_filesz)
			return CW_ERANGE;
		if (!take(im, ph.p_offset, vb->cfg.flash + off, ph.p_filesz))
			return CW_EFORMAT;
	}
	return 0;
}

/* The vector table: a stack in RAM and the entry point, aligned as VTOR wants. */
static void
find_vectors(struct cw_vb *vb, uint32_t entry)
{
	uint32_t off, vec[2];

	for (off = 0; off < CW_VB_FLASH_LEN; off += 0x200) {
		memcpy(vec, vb->cfg.flash + off, sizeof vec);
		if (vec[1] == (entry | 1) && vec[0] - CW_BOARD_RAM_BASE <= CW_VB_RAM_LEN) {
			vb->boot_base = CW_BOARD_FLASH_BASE + off;
			return;
		}
	}
}

static int
sym_order(const void *a, const void *b)
{
	const struct vb_sym *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static void
add_symbol(struct cw_vb *vb, const struct image *im, const Elf32_Sym *s,
    const Elf32_Shdr *str)
{
	struct vb_sym *grown;
	const char *name;
	size_t max;

	if (s->st_name >= str->sh_size || str->sh_offset > im->len ||
	    im->len - str->sh_offset < str->sh_size)
		return;
	name = (const char *)im->buf + str->sh_offset + s->st_name;
	max = str->sh_size - s->st_name;
	if (*name == '\0' || *name == '$' || memchr(name, '\0', max) == NULL)
		return;
	if ((vb->sym_cnt & 255) == 0) {
		grown = realloc(vb->sym, (vb->sym_cnt + 256) * sizeof *grown);
		if (grown == NULL)
			return;
		vb->sym = grown;
	}
	vb->sym[vb->sym_cnt].addr = ELF32_ST_TYPE(s->st_info) == STT_FUNC ?
	    s->st_value & ~1u : s->st_value;
	vb->sym[vb->sym_cnt].size = s->st_size;
	vb->sym[vb->sym_cnt].name = strdup(name);
	if (vb->sym[vb->sym_cnt].name != NULL)
		vb->sym_cnt++;
}

static void
load_symbols(struct cw_vb *vb, const struct image *im, const Elf32_Ehdr *eh)
{
	Elf32_Shdr sh, str;
	Elf32_Sym s;
	uint32_t k;
	int i;

	for (i = 0; i < eh->e_shnum; i++) {
		if (!take(im, eh->e_shoff + (uint64_t)i * eh->e_shentsize, &sh, sizeof sh))
			return;
		if (sh.sh_type != SHT_SYMTAB || sh.sh_entsize < sizeof s || !take(im,
		    eh->e_shoff + (uint64_t)sh.sh_link * eh->e_shentsize, &str, sizeof str))
			continue;
		for (k = 0; k < sh.sh_size / sh.sh_entsize; k++) {
			if (!take(im, sh.sh_offset + (uint64_t)k * sh.sh_entsize, &s, sizeof s))
				break;
			if (ELF32_ST_TYPE(s.st_info) <= STT_FUNC && s.st_shndx != 0)
				add_symbol(vb, im, &s, &str);
		}
	}
	if (vb->sym_cnt > 0)
		qsort(vb->sym, vb->sym_cnt, sizeof *vb->sym, sym_order);
}

int
cw_vb_load(struct cw_vb *vb, const char *path)
{
	struct image im = { NULL, 0 };
	Elf32_Ehdr eh;
	int err = read_whole(path, &im);

	if (err == 0 && (!take(&im, 0, &eh, sizeof eh) ||
	    memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 || eh.e_ident[4] != ELFCLASS32 ||
	    eh.e_machine != EM_ARM || eh.e_type != ET_EXEC))
		err = CW_EFORMAT;
	if (err == 0)
		err = load_parts(vb, &im, &eh);
	if (err == 0) {
		find_vectors(vb, eh.e_entry);
		load_symbols(vb, &im, &eh);
	}
	free(im.buf);
	return err;
}

uint32_t
cw_vb_symbol(const struct cw_vb *vb, const char *name)
{
	size_t i;

	for (i = 0; i < vb->sym_cnt; i++)
		if (strcmp(vb->sym[i].name, name) == 0)
			return vb->sym[i].addr;
	return 0;
}

const char *
cw_vb_where(const struct cw_vb *vb, uint32_t addr)
{
	static char text[96];
	size_t lo = 0, hi = vb->sym_cnt, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (vb->sym[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0 || addr - vb->sym[lo - 1].addr > 0x10000)
		return "?";
	snprintf(text, sizeof text, "%s+0x%x", vb->sym[lo - 1].name,
	    addr - vb->sym[lo - 1].addr);
	return text;
}
