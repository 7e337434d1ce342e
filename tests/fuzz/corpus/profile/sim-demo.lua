-- SPDX-License-Identifier: Apache-2.0
-- SIM-like cards for the demonstration: the files of the simulated card's COS
-- (docs/spec/simcard.md), filled from a pySim CSV record.
--
-- Every file is read back and compared: what could not be verified is a reject.
-- The mark, which says that the card is complete, is written last.

profile {
	name = "sim-demo",
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

-- The transport key of a card that was never personalized.
local ADM = ascii("88888888")

function cos(order)
	card.boot {}
end

local function select(path)
	card.apdu { ins = 0xA4, p1 = 0x08, p2 = 0x0C, data = path }
end

-- Writes the selected transparent file and reads it back.
local function put(path, value)
	select(path)
	card.apdu { ins = 0xD6, data = value }
	card.apdu { ins = 0xB0, le = bytes(value) }
	card.compare { value = value }
end

-- The same for one record of a linear file (absolute mode).
local function put_record(path, number, value)
	select(path)
	card.apdu { ins = 0xDC, p1 = number, p2 = 0x04, data = value }
	card.apdu { ins = 0xB2, p1 = number, p2 = 0x04, le = bytes(value) }
	card.compare { value = value }
end

-- TS 51.011, 10.5.1: no name, length, type of number, 10 bytes of digits, no
-- capability, no extension.
local function msisdn(digits)
	local number = bcd_swap(digits)
	return string.rep("FF", 14) .. u8(bytes(number) + 1) .. "81" ..
		pad(number, 10) .. "FFFF"
end

function record(fields, job)
	card.reset {}
	card.pps {}

	-- A blank answers this with 6E00: it has no operating system.
	card.apdu { ins = 0xA4, p1 = 0x08, p2 = 0x0C, data = "2FE2", needs_cos = true }
	card.apdu { ins = 0x20, p2 = 0x0A, data = ADM }

	put("2FE2", iccid(fields.iccid))
	put("7F206F07", imsi(fields.imsi))
	put("7F206F46", "01" .. pad(ascii("cardwright"), 16))
	put("7F206FAD", "00000002")
	if fields.acc then
		put("7F206F78", fields.acc)
	end
	if fields.msisdn then
		put_record("7F106F40", 1, msisdn(fields.msisdn))
	end

	put("7F996F01", fields.ki)
	if fields.opc then
		put("7F996F02", fields.opc)
	end
	for i, name in ipairs { "pin1", "puk1", "pin2", "puk2" } do
		if fields[name] then
			put_record("7F996F03", i, pad(ascii(fields[name]), 16))
		end
	end

	-- The card's own key last among the secrets, and proven by using it.
	if fields.adm1 then
		local key = pad(ascii(fields.adm1), 8)
		put("7F996F04", key)
		card.apdu { ins = 0x20, p2 = 0x0A, data = key, personal = true }
	end

	put("7F996FFE", pad(u64(job.order) .. u64(job.record) .. u32(job.epoch), 32))
	card.off()
end
