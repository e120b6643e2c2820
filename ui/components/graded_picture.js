const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }
const EDGE = 640  // px of the longer edge of the drawn map
const CONTOURS = [0.5, 1.5, 2.5]  // between two grades

function fill(template, values) {
  return template.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole)
}

// ---- the map ----

// Value between the centres of cells, as the map lies on the picture.
function interpolate(map, x, y) {
  const at = (row, column) => map.values[row * map.columns + column]
  const u = Math.min(Math.max(x * map.columns - 0.5, 0), map.columns - 1)
  const v = Math.min(Math.max(y * map.rows - 0.5, 0), map.rows - 1)
  const left = Math.floor(u), top = Math.floor(v)
  const right = Math.min(left + 1, map.columns - 1), bottom = Math.min(top + 1, map.rows - 1)
  const upper = at(top, left) + (at(top, right) - at(top, left)) * (u - left)
  const lower = at(bottom, left) + (at(bottom, right) - at(bottom, left)) * (u - left)
  return upper + (lower - upper) * (v - top)
}

// The colours of the scale at a value: red, green, blue, opacity (0-255).
function colourOf(scale, value) {
  const place = Math.min(Math.max(value / 3, 0), 1) * (scale.length - 1)
  const low = Math.floor(place), high = Math.min(low + 1, scale.length - 1)
  return scale[low].map((part, number) => part + (scale[high][number] - part) * (place - low))
}

function drawMap(canvas, map, scale) {
  const { width, height } = canvas
  const context = canvas.getContext("2d")
  const image = context.createImageData(width, height)
  const values = new Float32Array(width * height)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      values[y * width + x] = interpolate(map, (x + 0.5) / width, (y + 0.5) / height)
  values.forEach((value, number) => image.data.set(colourOf(scale, value), number * 4))
  context.putImageData(image, 0, 0)
  // A dark line with a light one along it is seen on any skin.
  for (const [ink, thickness] of [["#ffffff", 5], ["#111827", 2]]) {
    context.fillStyle = ink
    for (let y = 0; y < height - 1; y++)
      for (let x = 0; x < width - 1; x++) {
        const here = values[y * width + x], right = values[y * width + x + 1], below = values[(y + 1) * width + x]
        if (CONTOURS.some((level) => (here < level) !== (right < level) || (here < level) !== (below < level)))
          context.fillRect(x - thickness / 2, y - thickness / 2, thickness, thickness)
      }
  }
}

function cellsOf(map, data, readout) {
  const grid = element("div", "cells")
  grid.setAttribute("role", "grid")
  grid.style.gridTemplateColumns = "repeat(" + map.columns + ", 1fr)"
  grid.style.gridTemplateRows = "repeat(" + map.rows + ", 1fr)"
  const cells = map.values.map((value, number) => {
    const row = Math.floor(number / map.columns), column = number % map.columns
    const cell = element("div", "cell")
    const name = fill(data.words.cell, { row: row + 1, column: column + 1, value: value.toFixed(1),
      grade: data.grades[Math.round(value)].name })
    cell.tabIndex = number ? -1 : 0
    cell.setAttribute("role", "gridcell")
    cell.setAttribute("aria-label", name)
    cell.onmouseenter = cell.onfocus = () => { readout.textContent = name }
    cell.onmouseleave = cell.onblur = () => { readout.textContent = data.words.hint }
    return cell
  })
  for (let row = 0; row < map.rows; row++) {
    const line = element("div", "line", ...cells.slice(row * map.columns, (row + 1) * map.columns))
    line.setAttribute("role", "row")
    grid.append(line)
  }
  grid.onkeydown = (event) => {
    const move = MOVES[event.key], here = cells.indexOf(event.target)
    if (!move || here < 0) return
    event.preventDefault()
    const row = Math.min(Math.max(Math.floor(here / map.columns) + move[0], 0), map.rows - 1)
    const column = Math.min(Math.max(here % map.columns + move[1], 0), map.columns - 1)
    const next = cells[row * map.columns + column]
    event.target.tabIndex = -1
    next.tabIndex = 0
    next.focus()
  }
  return grid
}

function scaleOf(data) {
  const bar = element("span", "bar")
  const colours = data.scale.map(([red, green, blue, opacity]) =>
    "rgba(" + [red, green, blue, opacity / 255].join(", ") + ")")
  bar.style.background = "linear-gradient(to right, " + colours.join(", ") + "), #8c8c8c"
  for (const level of CONTOURS) {
    const line = element("span", "contour")
    line.style.left = level / 3 * 100 + "%"
    bar.append(line)
  }
  const names = element("span", "names", ...data.grades.map((grade) => element("span", "", grade.name)))
  return element("div", "scale", bar, names)
}

function switchOf(data, view) {
  const buttons = [["map", data.words.map], ["picture", data.words.picture]].map(([shows, name]) => {
    const button = element("button", "show", name)
    button.type = "button"
    button.onclick = () => {
      view.dataset.shows = shows
      buttons.forEach((each) => each.setAttribute("aria-pressed", String(each === button)))
    }
    button.setAttribute("aria-pressed", String(shows === (view.dataset.shows || "map")))
    return button
  })
  return element("div", "switch", ...buttons)
}

function drawView(view, data) {
  const image = element("img", "picture"), canvas = element("canvas", "map")
  image.src = data.picture
  image.alt = data.alt
  const factor = EDGE / Math.max(data.width, data.height)
  canvas.width = Math.round(data.width * factor)
  canvas.height = Math.round(data.height * factor)
  canvas.setAttribute("aria-hidden", "true")
  const frame = element("div", "frame", image, canvas)
  frame.style.aspectRatio = data.width + " / " + data.height
  view.replaceChildren(
    element("div", "head", element("strong", "subject"), switchOf(data, view)),
    frame, scaleOf(data), element("p", "readout", data.words.hint))
  if (data.words.note) view.append(element("p", "note", data.words.note))
}

function showMap(view, data, card) {
  const readout = view.querySelector(".readout"), frame = view.querySelector(".frame")
  view.querySelector(".subject").textContent = fill(data.words.subject, { name: card.name })
  readout.textContent = data.words.hint
  drawMap(view.querySelector("canvas"), card.map, data.scale)
  frame.querySelector(".cells")?.remove()
  const cells = cellsOf(card.map, data, readout)
  cells.setAttribute("aria-label", fill(data.words.subject, { name: card.name }))
  frame.append(cells)
}

// ---- the cards ----

function probabilitiesOf(card) {
  return element("span", "probabilities", ...card.probabilities.map((one) => {
    const part = element("span", "part", one.share >= 0.1 ? one.text : "")
    part.style.flexGrow = Math.max(one.share, 0.004)
    part.style.background = one.color
    part.style.color = one.ink
    part.title = one.description
    return part
  }))
}

// A mark a grade, filled up to the card's own.
function stepsOf(card) {
  return element("span", "steps", ...[1, 2, 3].map((grade) => {
    const step = element("span", "step")
    if (grade <= card.grade) step.style.background = card.color
    return step
  }))
}

function answersOf(card) {
  const squares = card.answers.map((answer) => {
    const square = element("span", "answer", answer.text)
    square.style.background = answer.color
    square.style.color = answer.ink
    square.title = answer.description
    return square
  })
  return element("span", "agreement", element("span", "", card.agreement), ...squares)
}

function cardOf(card) {
  const badge = element("span", "badge", element("b", "", String(card.grade)), element("span", "", card.gradeName))
  badge.style.background = card.color
  badge.style.color = card.ink
  const words = element("span", "words", element("span", "name", card.name))
  words.append(card.probabilities.length ? probabilitiesOf(card) : stepsOf(card))
  const facts = element("span", "facts", element("span", "range", ...card.notes.map((note) => element("span", "", note))))
  if (card.answers.length) facts.append(answersOf(card))
  if (card.notes.length || card.answers.length) words.append(facts)
  const button = element("button", "card", badge, words)
  button.type = "button"
  button.dataset.key = card.key
  button.setAttribute("aria-label", card.description)
  return element("li", "", button)
}

export default function ({ data, parentElement, setTriggerValue }) {
  const view = parentElement.querySelector(".view"), cards = parentElement.querySelector(".cards")
  const graded = parentElement.querySelector(".graded")
  const content = JSON.stringify({ ...data, selected: "", picks: 0 })
  if (graded.content !== content) {  // otherwise a click would throw the focus away
    drawView(view, data)
    cards.replaceChildren(...data.cards.map(cardOf))
    graded.classList.toggle("plain", data.plain)
    graded.content = content
    graded.selected = ""
  }
  const select = (key) => {
    if (graded.selected !== key) showMap(view, data, data.cards.find((card) => card.key === key))
    graded.selected = key
    for (const button of cards.querySelectorAll("button"))
      button.setAttribute("aria-pressed", String(button.dataset.key === key))
  }
  select(data.selected)
  for (const button of cards.querySelectorAll("button"))
    button.onclick = () => {
      select(button.dataset.key)  // at once, before the page answers
      setTriggerValue("picked", button.dataset.key)
    }
}
