import axios, { isCancel } from "axios"

/** Return the whole address of a path of the API, for requests from elsewhere. */
export function address(path) {
  return new URL(path, location.href).href.split("?")[0]
}

/** Return whether the server asks for a token, by its own description. */
export async function asksToken() {
  const { data } = await axios.get("api/openapi.json")
  return "security" in data.paths["/api/predict_all"].post
}

/**
 * Send a picture, and return the outcome: `status`, `body` and `milliseconds` of an answer, whatever its status;
 * `cancelled`; or `failed` where the connection ended without an answer.
 */
export async function send(path, picture, { value_num, token, signal, onProgress }) {
  const form = new FormData()
  form.append("image", picture, picture.name)
  if (value_num) form.append("value_num", value_num)
  const began = performance.now()
  try {
    const answer = await axios.post(path, form, {
      headers: token ? { Authorization: `Bearer ${token}` } : {},
      signal,
      validateStatus: null, // errors are answers too
      onUploadProgress: ({ progress }) => onProgress(progress ?? 0),
    })
    return { status: answer.status, body: answer.data, milliseconds: Math.round(performance.now() - began) }
  } catch (error) {
    if (isCancel(error)) return { cancelled: true }
    if (axios.isAxiosError(error)) return { failed: true }
    throw error
  }
}
