-- SPDX-License-Identifier: Apache-2.0
-- For the benchmarks: a record whose personal data is 8,200 bytes in 205
-- commands of 40 bytes, the largest file of the simulated card written over and
-- over.  More and shorter commands than a real card would get: each of them is
-- a chance to lose time.  bench/factory.py computes the line's least time from
-- the same figures.

profile {
	name = "line-8k",
	fields = {
		{ name = "iccid", type = "iccid", unique = true },
		{ name = "imsi", type = "imsi", unique = true },
		{ name = "ki", type = "hex", bytes = 16 },
		{ name = "opc", type = "hex", bytes = 16, optional = true },
		{ name = "acc", type = "hex", bytes = 2, optional = true },
		{ name = "msisdn", type = "digits", min = 3, max = 20, optional = true },
		{ name = "pin1", type = "pin", optional = true },
		{ name = "puk1", type = "digits", len = 8, secret = true, optional = true },
		{ name = "pin2", type = "pin", optional = true },
		{ name = "puk2", type = "digits", len = 8, secret = true, optional = true },
		{ name = "adm1", type = "adm", optional = true },
	},
}

local COMMANDS = 205

function cos(order)
	card.boot {}
end

function record(fields, job)
	local data = pad(fields.ki, 40)

	card.reset {}
	card.pps {}
	card.apdu { ins = 0xA4, p1 = 0x08, p2 = 0x0C, data = "7F106F42", needs_cos = true }
	card.apdu { ins = 0x20, p2 = 0x0A, data = ascii("88888888") }
	for i = 1, COMMANDS do
		card.apdu { ins = 0xDC, p1 = 1, p2 = 0x04, data = data }
	end
	card.off()
end
