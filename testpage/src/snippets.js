// The request as code. The token is read from SCALP_TOKEN, so that copied code holds no secret.

const curl = (address, value_num, token) =>
  [
    "curl -F image=@scalp.jpg",
    ...(value_num ? [`-F value_num=${value_num}`] : []),
    ...(token ? ['-H "Authorization: Bearer $SCALP_TOKEN"'] : []),
    address,
  ].join(" \\\n  ")

const python = (address, value_num, token) => `${token ? "import os\n\n" : ""}import requests

with open("scalp.jpg", "rb") as picture:
    response = requests.post(
        "${address}",
        files={"image": picture},${value_num ? `\n        data={"value_num": "${value_num}"},` : ""}${
          token ? "\n        headers={\"Authorization\": f\"Bearer {os.environ['SCALP_TOKEN']}\"}," : ""
        }
        timeout=90,
    )
print(response.status_code, response.json())
`

const axios = (address, value_num, token) => `import { openAsBlob } from "node:fs"
import axios from "axios"

const form = new FormData()
form.append("image", await openAsBlob("scalp.jpg"), "scalp.jpg")${
  value_num ? `\nform.append("value_num", "${value_num}")` : ""
}
const response = await axios.post("${address}", form, {${
  token ? "\n  headers: { Authorization: `Bearer ${process.env.SCALP_TOKEN}` }," : ""
}
  validateStatus: null,
})
console.log(response.status, response.data)
`

/** Clients by name, each a function of address, number of the condition or "", and whether a token is asked for. */
export const SNIPPETS = { curl, "Python (requests)": python, axios }
