-- SPDX-License-Identifier: Apache-2.0
-- The stepper's card profile: the same steps that sim/step_prof.c builds
-- natively.  A share of the seeds takes this way.

profile {
	name = "stepper",
	fields = {
		{ name = "iccid", type = "iccid", unique = true },
		{ name = "imsi", type = "imsi", unique = true },
		{ name = "ki", type = "hex", bytes = 16 },
	},
}

-- An order without data has nothing else that shows a living image.
function cos(order)
	card.boot {}
	card.reset {}
	card.apdu { ins = 0xA4, p2 = 0x0C, data = "3F00", needs_cos = true }
	card.off()
end

local function put(path, value)
	card.apdu { ins = 0xA4, p1 = 0x08, p2 = 0x0C, data = path, needs_cos = true }
	card.apdu { ins = 0xD6, data = value, personal = true }
	card.apdu { ins = 0xB0, le = bytes(value), personal = true }
	card.compare { value = value }
end

function record(fields, job)
	card.reset {}
	card.pps {}
	card.apdu { ins = 0xA4, p1 = 0x08, p2 = 0x0C, data = "2FE2", needs_cos = true }
	card.apdu { ins = 0x20, p2 = 0x0A, data = ascii("88888888") }
	put("2FE2", pad(bcd_swap(fields.iccid), 10))
	put("7F206F07", pad(bcd_swap(fields.imsi), 9))
	put("7F996F01", fields.ki)
	put("7F996FFE", pad(ascii("CWMK") .. u64(job.order) .. u64(job.record) ..
		u32(job.epoch), 32, "00"))
	card.off()
end
