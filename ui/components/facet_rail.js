function barOf(entry, facet, place, highest) {
  const bar = element("span", "bar")
  bar.style.height = entry.count ? Math.max(3, Math.round(28 * entry.count / highest)) + "px" : "0"
  if (!entry.count) bar.style.borderTopWidth = "0"
  if (entry.color) bar.style.background = entry.color
  const button = element("button", "", bar)
  if (!facet.range) button.append(element("span", "name", entry.short))
  return button
}

function rowOf(entry, facet, place, highest) {
  const fill = element("span", "fill")
  fill.style.width = (highest ? 100 * entry.count / highest : 0) + "%"
  return element("button", "row", fill, element("span", "label", entry.name), element("span", "count", entry.text))
}

function facetOf(facet) {
  const highest = Math.max(1, ...facet.entries.map((entry) => entry.count))
  const made = facet.rows ? rowOf : barOf
  const buttons = facet.entries.map((entry, place) => {
    const button = made(entry, facet, place, highest)
    button.type = "button"
    button.dataset.place = facet.key + " " + place
    button.title = entry.description
    button.setAttribute("aria-label", entry.description)
    button.setAttribute("aria-pressed", String(entry.selected))
    return button
  })
  buttons.forEach((button, place) => { button.tabIndex = place ? -1 : 0 })
  const group = element("div", facet.rows ? "rows" : facet.range ? "bars touching" : "bars", ...buttons)
  const box = element("fieldset", "facet", element("legend", "", facet.name), group)
  if (facet.entries.some((entry) => entry.selected)) box.classList.add("filtered")
  if (facet.range) box.append(element("div", "ends", element("span", "", facet.low), element("span", "", facet.high)))
  return box
}

function placeOf(button) {
  const [facet, place] = button.dataset.place.split(" ")
  return [facet, Number(place)]
}

// A click takes one bar, dragging or Shift all from the one before.
function rangesOf(bars, pick) {
  let from = null, last = null, before = ""
  const markTo = (button) => {
    if (from === null || !button) return
    last = placeOf(button)[1]
    const [low, high] = [Math.min(from, last), Math.max(from, last)]
    bars.closest(".facet").classList.add("filtered")
    for (const bar of bars.children) {
      const [, place] = placeOf(bar)
      bar.setAttribute("aria-pressed", String(place >= low && place <= high))
    }
  }
  const under = (event) => [...bars.children].find((bar) => {
    const box = bar.getBoundingClientRect()
    return event.clientX >= box.left && event.clientX <= box.right
  })
  const pressed = () => [...bars.children].flatMap((bar, place) => bar.getAttribute("aria-pressed") === "true" ? [place] : [])
  bars.onpointerdown = (event) => {
    const button = under(event)
    if (!button) return
    before = pressed().join()
    from = event.shiftKey && pressed().length ? pressed()[0] : placeOf(button)[1]
    bars.setPointerCapture(event.pointerId)
    markTo(button)
  }
  bars.onpointermove = (event) => markTo(under(event))
  bars.onpointerup = (event) => {
    if (from === null) return
    markTo(under(event))
    const same = pressed().join() === before
    pick(same ? null : [Math.min(from, last), Math.max(from, last)])
    from = null
  }
  bars.onkeydown = (event) => {
    const button = event.target.closest("button")
    if (!button || !["Enter", " "].includes(event.key)) return
    event.preventDefault()
    const place = placeOf(button)[1], selected = pressed()
    if (event.shiftKey && selected.length) pick([Math.min(place, ...selected), Math.max(place, ...selected)])
    else pick(selected.join() === String(place) ? null : [place, place])
  }
}

// Tab goes from facet to facet, arrows within one.
function moveWithin(facet, event) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key]
  const buttons = [...facet.querySelectorAll("button")], place = buttons.indexOf(event.target)
  if (!step || place < 0) return
  event.preventDefault()
  const next = buttons[Math.min(Math.max(place + step, 0), buttons.length - 1)]
  buttons.forEach((button) => { button.tabIndex = button === next ? 0 : -1 })
  next.focus()
}

export default function ({ data, parentElement, setTriggerValue }) {
  const rail = parentElement.querySelector(".rail")
  const content = JSON.stringify(data.facets)
  if (rail.content !== content) {
    const focused = rail.getRootNode().activeElement?.dataset?.place, left = rail.scrollLeft
    rail.replaceChildren(...data.facets.map(facetOf))
    rail.content = content
    rail.scrollLeft = left
    const again = focused && [...rail.querySelectorAll("button")].find((button) => button.dataset.place === focused)
    if (again) {
      again.closest(".facet").querySelectorAll("button").forEach((button) => { button.tabIndex = -1 })
      again.tabIndex = 0
      again.focus({ preventScroll: true })
    }
  }
  for (const facet of rail.children) facet.onkeydown = (event) => moveWithin(facet, event)
  for (const bars of rail.querySelectorAll(".touching")) {
    const [facet] = placeOf(bars.firstElementChild)
    rangesOf(bars, (range) => setTriggerValue("picked", [facet, ...(range ?? [])]))
  }
  for (const button of rail.querySelectorAll(".bars:not(.touching) button, .rows button")) {
    button.onclick = () => setTriggerValue("picked", placeOf(button))
  }
}
