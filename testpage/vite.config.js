import { createHash } from "node:crypto"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

import tailwindcss from "@tailwindcss/vite"
import vue from "@vitejs/plugin-vue"
import { defineConfig } from "vite"

const here = fileURLToPath(new URL(".", import.meta.url))
const built = join(here, "../scalp_core/rest/test_page")
const manifest = "build.json"

/** Return the paths of the files in a folder and in one of its folders, as `folder/name`. */
function files(root, folder) {
  const top = readdirSync(root, { withFileTypes: true })
  const below = readdirSync(join(root, folder)).map((name) => `${folder}/${name}`)
  return [...top.filter((entry) => entry.isFile()).map((entry) => entry.name), ...below].sort()
}

/** Write the hashes of sources and built files: tests/rest/test_browser_page.py compares them, without node. */
function manifestOfBuild() {
  const digest = (path) => createHash("sha256").update(readFileSync(path)).digest("hex")
  const digests = (root, names) => Object.fromEntries(names.map((name) => [name, digest(join(root, name))]))
  return {
    name: "manifest-of-build",
    apply: "build",
    closeBundle() {
      const contents = { sources: digests(here, files(here, "src")), built: digests(built, files(built, "test")) }
      writeFileSync(join(built, manifest), `${JSON.stringify(contents, null, 1)}\n`)
    },
  }
}

export default defineConfig({
  root: here,
  base: "./", // the page may be served below any path
  plugins: [vue(), tailwindcss(), manifestOfBuild()],
  build: {
    outDir: built,
    emptyOutDir: true,
    assetsDir: "test", // beside the page, which is /test: relative addresses then lead to /test/NAME
    assetsInlineLimit: 0, // the page's policy lets in files of its server alone
    modulePreload: false,
    license: { fileName: "licenses.md" },
  },
})
