function heading(column) {
  const cell = element("th", "", element("span", "full", column.name), element("span", "short", column.short))
  cell.scope = "col"
  cell.title = column.name
  cell.setAttribute("aria-label", column.name)
  return cell
}

function cellOf(cell) {
  if (!cell.color) return element("td", "text", cell.text)
  const box = element("span", cell.ringed ? "cell ringed" : "cell", cell.text)
  if (cell.note) box.append(element("small", "", cell.note))
  return element("td", "", coloured(box, cell))
}

function headOf(row) {
  const words = element("span", "words", element("span", "name", row.name))
  if (row.note) words.append(element("span", row.flagged ? "note flagged" : "note", row.note))
  const head = element("span", "head")
  if (row.picture) {
    const image = element("img", "")
    image.alt = ""
    image.loading = "lazy"
    image.onerror = () => image.replaceWith(element("span", "gap"))
    image.src = row.picture
    head.append(image)
  } else if (row.pictured) {
    head.append(element("span", "gap"))
  }
  head.append(words)
  const cell = element("th", "", head)
  cell.scope = "row"
  if (row.opens) {
    const button = element("button", "", head)
    button.type = "button"
    button.setAttribute("aria-label", row.description)
    button.title = row.description
    cell.replaceChildren(button)
  }
  return cell
}

function rowOf(row, columns) {
  const line = element("tr", row.opens ? "row open" : "row", headOf(row))
  line.dataset.key = row.key
  if (!row.sentence) {
    line.append(...row.cells.map(cellOf))
    return line
  }
  const sentence = element("td", "sentence", row.sentence)
  sentence.colSpan = columns
  line.append(sentence)
  return line
}

function bodyOf(block, columns) {
  const body = element("tbody", "", ...block.rows.map((row) => rowOf(row, columns)))
  if (!block.title) return body
  const title = element("th", "", block.title)
  title.colSpan = columns + 1
  title.scope = "rowgroup"
  body.prepend(element("tr", "title", title))
  return body
}

function tableOf(data) {
  const first = element("col", "first"), columns = element("colgroup", "", first)
  if (data.first) first.style.width = data.first
  data.columns.forEach(() => columns.append(element("col", "")))
  const corner = element("th", "", element("span", "full", data.corner))
  corner.scope = "col"
  const table = element("table", "", columns,
    element("thead", "", element("tr", "", corner, ...data.columns.map(heading))),
    ...data.blocks.map((block) => bodyOf(block, data.columns.length)))
  table.setAttribute("aria-label", data.description)
  return table
}

function legendOf(legend) {
  const keys = legend.grades.map((grade) => {
    const box = element("span", "box")
    box.style.background = grade.color
    return element("span", "key", box, grade.name)
  })
  if (legend.ringed) keys.push(element("span", "key", element("span", "box ringed"), legend.ringed))
  if (legend.names) keys.push(element("span", "names", legend.names))
  return keys
}

export default function ({ data, parentElement, setTriggerValue }) {
  const grid = parentElement.querySelector(".grid"), frame = parentElement.querySelector(".window")
  const content = JSON.stringify([data.columns, data.blocks, data.legend])
  if (grid.content !== content) {  // otherwise a click would throw the focus away
    frame.replaceChildren(tableOf(data))
    parentElement.querySelector(".legend").replaceChildren(...legendOf(data.legend))
    frame.className = data.long ? "window long" : "window"
    grid.style.setProperty("--unknown", data.unknown)
    grid.content = content
  }
  for (const row of frame.querySelectorAll("tr.open")) {
    const selected = row.dataset.key === data.selected
    row.classList.toggle("selected", selected)
    row.querySelector("button").setAttribute("aria-pressed", String(selected))
    row.onclick = () => setTriggerValue("picked", row.dataset.key)
  }
}
