const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }

function head(name, scope, span, ...inside) {
  const cell = element("th", name, ...inside)
  cell.scope = scope
  cell.colSpan = span
  return cell
}

function drawCell(cell, place) {
  const button = element("button", cell.kind, cell.text)
  button.type = "button"
  button.tabIndex = -1
  button.dataset.place = place
  button.style.background = cell.color
  button.style.color = cell.ink
  button.title = cell.description
  button.setAttribute("aria-label", cell.description)
  return element("td", "", button)
}

function drawTable(matrix, words) {
  const corner = head("corner", "col", 1, words.rows)
  corner.rowSpan = 2
  const columns = words.grades.map((grade, number) => head("column", "col", 1,
    element("span", "grade", String(number)), element("span", "grade", grade)))
  const rows = matrix.cells.map((cells, truth) => element("tr", "",
    head("row", "row", 1,
      element("span", "grade", truth + " " + words.grades[truth]), element("span", "images", matrix.images[truth])),
    ...cells.map((cell, predicted) => drawCell(cell, truth + "." + predicted))))
  const table = element("table", "",
    element("caption", "", matrix.name, element("span", "note", matrix.note)),
    element("thead", "",
      element("tr", "", corner, head("axis", "colgroup", 4, words.columns)), element("tr", "", ...columns)),
    element("tbody", "", ...rows))
  table.setAttribute("role", "grid")
  table.setAttribute("aria-label", matrix.description)
  table.querySelector("td button").tabIndex = 0
  return table
}

function drawMatrix(matrix, words) {
  const inside = matrix.missing
    ? [element("strong", "", matrix.name), element("p", "missing", matrix.missing)]
    : [drawTable(matrix, words)]
  const box = element("div", "matrix", ...inside)
  box.dataset.matrix = matrix.key
  return box
}

function drawLegend(legend) {
  const bar = element("span", "bar")
  bar.style.background = "linear-gradient(to right, " + legend.colors.join(", ") + ")"
  return [
    element("span", "", legend.low, bar, legend.high + " " + legend.meaning),
    element("span", "", element("span", "box far"), legend.far),
    element("span", "", element("span", "box selected"), legend.selected),
  ]
}

function stay(button) {  // of each matrix, Tab reaches the cell that was left
  for (const other of button.closest("table").querySelectorAll("td button")) other.tabIndex = -1
  button.tabIndex = 0
}

function move(event) {
  const button = event.target.closest("td button"), step = MOVES[event.key]
  if (!button || !step) return
  event.preventDefault()
  const [truth, predicted] = button.dataset.place.split(".").map(Number)
  const to = (truth + step[0]) + "." + (predicted + step[1])
  button.closest("table").querySelector(`button[data-place="${to}"]`)?.focus()
}

export default function ({ data, parentElement, setTriggerValue }) {
  const wall = parentElement.querySelector(".wall"), legend = parentElement.querySelector(".legend")
  const content = JSON.stringify([data.matrices, data.words, data.legend])
  if (wall.content !== content) {  // otherwise a click would throw the focus away
    wall.replaceChildren(...data.matrices.map((matrix) => drawMatrix(matrix, data.words)))
    legend.replaceChildren(...drawLegend(data.legend))
    wall.content = content
    for (const node of [wall, legend]) node.style.setProperty("--selected", data.selectedColor)
  }
  for (const button of wall.querySelectorAll("td button")) {
    const cell = button.closest(".matrix").dataset.matrix + "." + button.dataset.place
    button.setAttribute("aria-pressed", String(cell === data.selected))
    if (cell === data.selected) stay(button)
  }
  wall.onkeydown = move
  wall.onclick = (event) => {
    const button = event.target.closest("td button")
    if (!button) return
    stay(button)
    setTriggerValue("picked", button.closest(".matrix").dataset.matrix + "." + button.dataset.place)
  }
}
