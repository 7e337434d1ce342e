/* SPDX-License-Identifier: Apache-2.0 */
#include "problems.h"

#include <stddef.h>

static const struct {
	enum cw_problem id;
	unsigned int status;
	const char *title;
} problems[] = {
#define X(id, number, status, title) { CW_PB_##id, status, title },
	CW_PROBLEM_MAP(X)
#undef X
};

unsigned int
cw_problem_status(enum cw_problem p)
{
	for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++)
		if (problems[i].id == p)
			return problems[i].status;
	return 500;
}

const char *
cw_problem_title(enum cw_problem p)
{
	for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++)
		if (problems[i].id == p)
			return problems[i].title;
	return "Unknown problem";
}
