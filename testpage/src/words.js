import { ref, watchEffect } from "vue"

import words from "./words.json"

const LANGUAGES = ["en", "ko"]

/** Return `ko` or `en` from `?lang=`, else from the browser, as the dashboard does. */
function firstLanguage() {
  const wanted = new URLSearchParams(location.search).get("lang")
  return LANGUAGES.includes(wanted) ? wanted : navigator.language.startsWith("ko") ? "ko" : "en"
}

/** The reader's language. */
export const language = ref(firstLanguage())

/** Change the language, and keep it in the address. */
export function choose(code) {
  language.value = code
  history.replaceState(null, "", `?lang=${code}`)
}

/** Return the text of a key in the reader's language, its placeholders `{name}` filled. */
export function say(key, values = {}) {
  return words[key][language.value].replace(/\{(\w+)\}/g, (_, name) => values[name])
}

/** Return a text of an answer: there the Korean of `name` is `name_ko`, or the English `name_en`. */
export function ofApi(texts, name) {
  return texts[`${name}_${language.value}`] ?? texts[name]
}

watchEffect(() => {
  document.documentElement.lang = language.value
  document.title = say("title")
})
