-- SPDX-License-Identifier: Apache-2.0
-- Pre-personalization alone: every card gets the order's COS by the open
-- bootloader (docs/spec/bootloader.md) and nothing else.

profile { name = "cos-only" }

function cos(order)
	card.boot {}
end
