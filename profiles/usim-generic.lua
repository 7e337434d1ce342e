-- SPDX-License-Identifier: Apache-2.0
-- A USIM by its elementary files (3GPP TS 31.102, TS 51.011), from a pySim CSV record.
--
-- Blanks that the maker delivers under one transport key.  What no standard says,
-- where Ki, OPc, PINs and the ADM key go, stands in MAKER: here the folder of the
-- simulated USIM (profiles/cards/usim.txt, docs/spec/uicc.md).
--
-- CAUTION, the transport key: a card has about three tries in its life, and a key in
-- ASCII typed as hex burns one on every card.  So the tries left are asked first, a
-- card that has lost one is rejected as it is, and the key is presented once.
--
-- Every file is read back; Ki and OPc are proven by a challenge (in the GSM context:
-- it uses up no sequence number), PIN1 by switching it on.

profile {
	name = "usim-generic",
	fields = {
		{ name = "iccid", type = "iccid", unique = true },
		{ name = "imsi", type = "imsi", unique = true },
		{ name = "ki", type = "hex", bytes = 16 },
		{ name = "opc", type = "hex", bytes = 16 },
		{ name = "acc", type = "hex", bytes = 2, secret = false, optional = true },
		{ name = "mcc", type = "digits", len = 3, optional = true },
		{ name = "mnc", type = "digits", min = 2, max = 3, optional = true },
		{ name = "spn", type = "text", max = 16, optional = true },
		{ name = "msisdn", type = "text", max = 21, optional = true },
		{ name = "smsp", type = "text", max = 21, optional = true },
		{ name = "plmn", type = "text", max = 120, optional = true },
		{ name = "oplmn", type = "text", max = 120, optional = true },
		{ name = "hplmn", type = "text", max = 60, optional = true },
		{ name = "fplmn", type = "text", max = 40, optional = true },
		{ name = "suci_calc", type = "hex", max = 256, optional = true },
		{ name = "routing_indicator", type = "digits", min = 1, max = 4, optional = true },
		{ name = "pin1", type = "pin", optional = true },
		{ name = "puk1", type = "digits", len = 8, secret = true, optional = true },
		{ name = "pin2", type = "pin", optional = true },
		{ name = "puk2", type = "digits", len = 8, secret = true, optional = true },
		{ name = "adm1", type = "adm", optional = true },
	},
}

local TRANSPORT = adm("88888888")
local USIM = "A0000000871002"
local MAKER = { ki = "7F996F01", opc = "7F996F02", pins = "7F996F03", adm = "7F996F04",
	mark = "7F996FFE" }

function cos(order)
	card.boot {}
end

local function select(path)
	card.apdu { ins = 0xA4, p1 = 0x08, p2 = 0x0C, data = path }
end

-- Into the selected transparent file, and read back.
local function write(value)
	card.apdu { ins = 0xD6, data = value }
	card.apdu { ins = 0xB0, le = bytes(value) }
	card.compare { value = value }
end

local function put(path, value)
	select(path)
	write(value)
end

-- The same for a record (absolute).
local function put_record(path, number, value)
	select(path)
	card.apdu { ins = 0xDC, p1 = number, p2 = 0x04, data = value }
	card.apdu { ins = 0xB2, p1 = number, p2 = 0x04, le = bytes(value) }
	card.compare { value = value }
end

-- Files of the USIM lie below the current application: 7FFF.
local function usim(path, value)
	put("7FFF" .. path, value)
end

local function transport_key()
	card.apdu { ins = 0x20, p2 = 0x0A, sw = { "63C3", "63C5", "63CA" } }
	card.apdu { ins = 0x20, p2 = 0x0A, data = TRANSPORT }
end

local function network(fields)
	local home = fields.mcc and fields.mnc and fields.mcc .. fields.mnc
	usim("6FAD", "000000" .. u8(fields.mnc and #fields.mnc or 2))
	usim("6F31", "05")
	usim("6F60", plmn_act_list(fields.plmn or "", 40))
	usim("6F61", plmn_act_list(fields.oplmn or "", 40))
	usim("6F62", plmn_act_list(fields.hplmn or home or "", 20))
	usim("6F7B", plmn_list(fields.fplmn or "", 12))
	if fields.suci_calc then
		usim("5FC04F07", pad(fields.suci_calc, 128))
	end
	if fields.routing_indicator then
		usim("5FC04F0A", pad(bcd_swap(fields.routing_indicator), 2) .. "FFFF")
	end
end

local function subscriber(fields)
	usim("6F07", imsi(fields.imsi))
	usim("6F78", fields.acc or acc(fields.imsi))
	usim("6F46", fields.spn and spn(fields.spn) or string.rep("FF", 17))
	if fields.msisdn then
		put_record("7F106F40", 1, msisdn(fields.msisdn, 28))
	end
	if fields.smsp then
		put_record("7F106F42", 1, smsp(fields.smsp, 40))
	end
end

-- Known only to who holds Ki and OPc, and to this card now.
local function prove(fields, job)
	local rand = u64(job.order) .. u64(job.record)
	local m = milenage(fields.ki, fields.opc, rand)
	card.apdu { ins = 0x88, p2 = 0x80, data = "10" .. rand, le = 14 }
	card.compare { value = "04" .. m.sres .. "08" .. m.kc }
end

function record(fields, job)
	card.reset {}
	card.pps {}
	card.apdu { ins = 0xA4, p1 = 0x08, p2 = 0x0C, data = "2FE2", needs_cos = true }
	transport_key()
	write(iccid(fields.iccid))

	card.apdu { ins = 0xA4, p1 = 0x04, p2 = 0x0C, data = USIM }
	subscriber(fields)
	network(fields)
	put(MAKER.ki, fields.ki)
	put(MAKER.opc, fields.opc)
	prove(fields, job)

	for i, name in ipairs { "pin1", "puk1", "pin2", "puk2" } do
		local code = i % 2 == 0 and puk or pin
		if fields[name] then
			put_record(MAKER.pins, i, pad(code(fields[name]), 16))
		end
	end
	if fields.pin1 then
		card.apdu { ins = 0x28, p2 = 0x01, data = pin(fields.pin1) }
	end
	if fields.adm1 then
		put(MAKER.adm, adm(fields.adm1))
		card.apdu { ins = 0x20, p2 = 0x0A, data = adm(fields.adm1), personal = true }
	end
	put(MAKER.mark, pad(u64(job.order) .. u64(job.record) .. u32(job.epoch), 32))
	card.off()
end
