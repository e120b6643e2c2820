const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }
const LABELS = 92, NARROWEST = 130  // pixels of the row labels, and of a matrix

function head(name, scope, ...inside) {
  const cell = element("th", name, ...inside)
  cell.scope = scope
  return cell
}

function drawCell(cell, place) {
  const button = element("button", cell.kind, element("span", "value", cell.text), element("span", "count", cell.count))
  button.type = "button"
  button.tabIndex = -1
  button.dataset.place = place
  button.style.background = cell.color
  button.style.color = cell.ink
  if (cell.mark) button.style.setProperty("--mark", cell.mark)
  button.title = cell.description
  button.setAttribute("aria-label", cell.description)
  return element("td", "", button)
}

function drawTitle(matrix) {
  const name = element("span", "name", matrix.name)
  if (matrix.badge) name.append(" ", element("span", "badge", matrix.badge))
  return element("div", "title", name)
}

function drawCaption(matrix) {
  const title = drawTitle(matrix)
  if (matrix.letter) title.append(element("span", "letter", matrix.letter))
  const figures = element("div", "figures")
  for (const [kind, text] of [["score", matrix.score], ["interval", matrix.interval], ["note", matrix.note]]) {
    if (text) figures.append(element("span", kind, text))
  }
  return element("caption", "", title, figures)
}

function drawTable(matrix, words) {
  const columns = words.grades.map((grade, number) => {
    const cell = head("column", "col", String(number))
    cell.title = grade
    return cell
  })
  const rows = matrix.cells.map((cells, truth) => element("tr", "",
    head("row", "row", element("div", "label",
      element("span", "grade", truth + " " + words.grades[truth]), element("span", "images", matrix.images[truth]))),
    ...cells.map((cell, predicted) => drawCell(cell, truth + "." + predicted))))
  const table = element("table", "", drawCaption(matrix),
    element("thead", "", element("tr", "", head("corner", "col", element("div", "label", words.axes)), ...columns)),
    element("tbody", "", ...rows))
  table.setAttribute("role", "grid")
  table.setAttribute("aria-label", matrix.description)
  table.querySelector("td button").tabIndex = 0
  return table
}

function drawMatrix(matrix, words) {
  const inside = matrix.missing
    ? [drawTitle(matrix), element("p", "missing", matrix.missing)]
    : [drawTable(matrix, words), element("div", "foot", matrix.foot)]
  const box = element("div", matrix.best ? "matrix best" : "matrix", ...inside)
  box.dataset.matrix = matrix.key
  return box
}

function drawLegend(legend) {
  const bar = element("span", "bar"), far = element("span", "box far")
  bar.style.background = "linear-gradient(to right, " + legend.colors.join(", ") + ")"
  far.style.setProperty("--mark", legend.mark)
  far.style.setProperty("--pale", legend.pale)
  return [
    element("span", "", legend.low, bar, legend.high),
    element("span", "", element("span", "box right"), legend.right),
    element("span", "", far, legend.far),
    ...legend.notes.map((note) => element("span", "", note)),
  ]
}

function layOut(wall) {  // the first matrix of each row carries the labels
  const across = Math.min(wall.children.length, Math.max(1, Math.floor((wall.clientWidth - LABELS) / NARROWEST)))
  wall.style.setProperty("--across", across)
  for (const [number, matrix] of [...wall.children].entries()) matrix.classList.toggle("first", number % across === 0)
}

function light(wall, place) {
  for (const button of wall.querySelectorAll("td button")) {
    button.classList.toggle("lit", button.dataset.place === place)
  }
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
  let box = button.closest(".matrix"), column = predicted + step[1]
  if (column < 0 || column > 3) {  // over the edge into the matrix beside
    box = column < 0 ? box.previousElementSibling : box.nextElementSibling
    column = column < 0 ? 3 : 0
  }
  box?.querySelector(`button[data-place="${truth + step[0]}.${column}"]`)?.focus()
}

function listenToNumbers(wall) {
  const window = wall.ownerDocument.defaultView
  const press = (event) => {
    if (!wall.isConnected) return window.removeEventListener("keydown", press)
    const target = event.composedPath()[0]
    const busy = event.ctrlKey || event.metaKey || event.altKey || target.isContentEditable
      || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName ?? "") || wall.ownerDocument.querySelector('[role="dialog"]')
    if (!busy && /^[1-6]$/.test(event.key) && wall.numbered) wall.trigger("number", Number(event.key))
  }
  window.addEventListener("keydown", press)
}

function forget(window, names) {  // of an address that was gone back to: what was closed
  const address = new URL(window.location.href)
  if (!names.some((name) => address.searchParams.has(name))) return
  for (const name of names) address.searchParams.delete(name)
  window.history.replaceState(window.history.state, "", address)
}

export default function ({ data, parentElement, setTriggerValue }) {
  const wall = parentElement.querySelector(".wall"), legend = parentElement.querySelector(".legend")
  const content = JSON.stringify([data.matrices, data.words, data.legend])
  if (!wall.trigger) {
    new ResizeObserver(() => layOut(wall)).observe(wall)
    listenToNumbers(wall)
  }
  wall.trigger = setTriggerValue
  wall.numbered = data.numbered
  if (wall.content !== content) {  // otherwise a click would throw the focus away
    wall.replaceChildren(...data.matrices.map((matrix) => drawMatrix(matrix, data.words)))
    legend.replaceChildren(...drawLegend(data.legend))
    wall.content = content
    wall.style.setProperty("--selected", data.selectedColor)
    layOut(wall)
  }
  for (const button of wall.querySelectorAll("td button")) {
    const cell = button.closest(".matrix").dataset.matrix + "." + button.dataset.place
    button.setAttribute("aria-pressed", String(cell === data.selected))
    if (cell === data.selected) stay(button)
  }
  forget(wall.ownerDocument.defaultView, data.forgotten)
  wall.onkeydown = move
  wall.onpointerover = (event) => light(wall, event.target.closest("td button")?.dataset.place)
  wall.onpointerleave = () => light(wall, "")
  wall.onclick = (event) => {
    const button = event.target.closest("td button")
    if (!button) return
    stay(button)
    setTriggerValue("picked", button.closest(".matrix").dataset.matrix + "." + button.dataset.place)
  }
}
