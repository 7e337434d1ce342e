-- SPDX-License-Identifier: Apache-2.0
-- Any card that follows ISO/IEC 7816-4: the COS by the open bootloader, then up
-- to four transparent files, each named in the record by its path from the MF
-- (file1 = 3F00 left out: "2FE2" or "7F206F07") with the bytes for it (data1).
-- A key (verify, 1 to 16 bytes) is presented before, if the record has one.

profile {
	name = "iso7816-generic",
	fields = {
		{ name = "iccid", type = "iccid", unique = true, optional = true },
		{ name = "verify", type = "hex", min = 2, max = 32, optional = true },
		{ name = "file1", type = "hex", min = 4, max = 16, secret = false },
		{ name = "data1", type = "hex", min = 2, max = 510 },
		{ name = "file2", type = "hex", min = 4, max = 16, secret = false, optional = true },
		{ name = "data2", type = "hex", min = 2, max = 510, optional = true },
		{ name = "file3", type = "hex", min = 4, max = 16, secret = false, optional = true },
		{ name = "data3", type = "hex", min = 2, max = 510, optional = true },
		{ name = "file4", type = "hex", min = 4, max = 16, secret = false, optional = true },
		{ name = "data4", type = "hex", min = 2, max = 510, optional = true },
	},
}

function cos(order)
	card.boot {}
end

function record(fields, job)
	card.reset {}
	card.pps {}
	card.apdu { ins = 0xA4, p1 = 0x00, p2 = 0x0C, data = "3F00",
		sw = { "9000", "61XX" }, needs_cos = true }
	if fields.verify then
		card.apdu { ins = 0x20, p2 = 0x0A, data = fields.verify }
	end
	for i = 1, 4 do
		local path, data = fields["file" .. i], fields["data" .. i]
		if path and data then
			card.apdu { ins = 0xA4, p1 = 0x08, p2 = 0x0C, data = path,
				sw = { "9000", "61XX" } }
			card.apdu { ins = 0xD6, data = data }
			card.apdu { ins = 0xB0, le = bytes(data) }
			card.compare { value = data }
		elseif path or data then
			error("file and data belong together")
		end
	end
	card.off()
end
