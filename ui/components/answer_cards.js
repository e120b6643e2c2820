function answerItem(answer) {
  const square = element("span", answer.right ? "answer right" : "answer", answer.text)
  return element("li", "", coloured(square, answer))
}

function cardOf(card) {
  const badge = element("span", "badge", card.truth)
  badge.style.background = card.color
  badge.style.color = card.ink
  const button = element("button", "", thumbnail(card.source), element("span", "caption", badge))
  button.type = "button"
  button.title = card.id
  button.setAttribute("aria-label", card.description)
  const strip = element("ul", "strip", ...card.answers.map(answerItem))
  strip.setAttribute("role", "list")  // a list without bullets is none to some screen readers
  return element("div", "card", button, strip)
}

function replaceAddress(window, image) {
  const address = new URL(window.location.href)
  address.searchParams.set("image", image)
  window.history.replaceState(window.history.state, "", address)
}

function listenToArrows(row) {
  const window = row.ownerDocument.defaultView
  const press = (event) => {
    if (!row.isConnected) return window.removeEventListener("keydown", press, true)
    const target = event.composedPath()[0], step = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return
    if (target.closest?.('input, textarea, [role="slider"], [role="radiogroup"], [role="combobox"], [contenteditable]')) return
    const next = row.cards[row.place + step]
    event.preventDefault()
    if (!next) return
    row.open(row.place + step)
    if (row.getRootNode().activeElement) row.children[row.place].querySelector("button").focus()
  }
  window.addEventListener("keydown", press, true)
}

function mark(row, place) {
  row.place = place
  for (const [number, card] of [...row.children].entries()) {
    card.classList.toggle("selected", number === place)
    card.querySelector("button").setAttribute("aria-current", String(number === place))
  }
  const card = row.children[place]
  if (card) row.scrollTo({ left: card.offsetLeft - (row.clientWidth - card.offsetWidth) / 2, behavior: "instant" })
}

export default function ({ data, parentElement, setTriggerValue }) {
  const row = parentElement.querySelector(".row")
  const content = JSON.stringify(data.cards)
  if (!row.open) listenToArrows(row)
  row.open = (place) => {
    mark(row, place)
    replaceAddress(row.ownerDocument.defaultView, row.cards[place].id)
    setTriggerValue("picked", row.cards[place].id)
  }
  if (row.content !== content) {  // otherwise a click would throw the focus away
    row.replaceChildren(...data.cards.map(cardOf))
    row.content = content
    row.cards = data.cards
  }
  mark(row, data.cards.findIndex((card) => card.id === data.selected))
  data.cards.forEach((card, number) => {
    row.children[number].onclick = () => row.open(number)
  })
}
