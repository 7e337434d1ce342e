-- SPDX-License-Identifier: Apache-2.0
-- sysmocom sysmoISIM-SJA2: a programmable card whose key (ADM1) is its own.  What it
-- keeps where is public (pySim); this profile has been tried on the simulated card
-- profiles/cards/sysmo-isim-sja2.txt only.
--
-- The file must therefore be in the order of the cards.  A record goes only to the card
-- whose ICCID it names: one out of order is rejected before the key is presented, and
-- no try is lost.  The column adm1 (ASCII) will do for pin_adm_hex.

profile {
	name = "sysmo-isim-sja2",
	atr = "3B9F96801F878031E073FE211B674AXXXXXXXXXXXXXX",
	fields = {
		{ name = "iccid", type = "iccid", unique = true },
		{ name = "imsi", type = "imsi", unique = true },
		{ name = "ki", type = "hex", bytes = 16 },
		{ name = "opc", type = "hex", bytes = 16 },
		{ name = "pin_adm_hex", type = "hex", bytes = 8 },
		{ name = "acc", type = "hex", bytes = 2, secret = false, optional = true },
		{ name = "spn", type = "text", max = 16, optional = true },
		{ name = "mcc", type = "digits", len = 3, optional = true },
		{ name = "mnc", type = "digits", min = 2, max = 3, optional = true },
	},
}

local USIM = "A0000000871002"
local MILENAGE_OPC = "14"	-- algorithm 4, with OPc in place of OP

local function select(path)
	card.apdu { ins = 0xA4, p1 = 0x08, p2 = 0x0C, data = path }
end

local function put(path, value)
	select(path)
	card.apdu { ins = 0xD6, data = value }
	card.apdu { ins = 0xB0, le = bytes(value) }
	card.compare { value = value }
end

function record(fields, job)
	card.reset {}
	card.pps {}
	select("2FE2")
	card.apdu { ins = 0xB0, le = 10 }
	card.compare { value = iccid(fields.iccid) }
	card.apdu { ins = 0x20, p2 = 0x0A, sw = { "63C3", "63CA" } }
	card.apdu { ins = 0x20, p2 = 0x0A, data = adm_hex(fields.pin_adm_hex) }

	local keys = MILENAGE_OPC .. fields.ki .. fields.opc
	put("A5156F20", keys)
	card.apdu { ins = 0xA4, p1 = 0x04, p2 = 0x0C, data = USIM }
	put("7FFFAF20", keys)
	put("7FFF6F07", imsi(fields.imsi))
	put("7FFF6F78", fields.acc or acc(fields.imsi))
	if fields.spn then
		put("7FFF6F46", spn(fields.spn))
	end
	if fields.mcc and fields.mnc then
		put("7FFF6F62", plmn_act_list(fields.mcc .. fields.mnc, 20))
		put("7FFF6FAD", "000000" .. u8(#fields.mnc))
	end

	local rand = u64(job.order) .. u64(job.record)
	local m = milenage(fields.ki, fields.opc, rand)
	card.apdu { ins = 0x88, p2 = 0x80, data = "10" .. rand, le = 14 }
	card.compare { value = "04" .. m.sres .. "08" .. m.kc }
	card.off()
end
