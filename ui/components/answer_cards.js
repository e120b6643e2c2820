function answerItem(answer) {
  const square = element("span", answer.right ? "answer right" : "answer", answer.text)
  return element("li", "", coloured(square, answer))
}

function cardOf(card) {
  const badge = element("span", "badge", card.truth)
  badge.style.background = card.color
  badge.style.color = card.ink
  const button = element("button", "", thumbnail(card.source), element("span", "caption", card.label, badge))
  button.type = "button"
  button.title = card.id
  button.setAttribute("aria-label", card.description)
  const strip = element("ul", "strip", ...card.answers.map(answerItem))
  strip.setAttribute("role", "list")  // a list without bullets is none to some screen readers
  return element("div", "card", button, strip)
}

export default function ({ data, parentElement, setTriggerValue }) {
  const wall = parentElement.querySelector(".wall")
  const cards = JSON.stringify(data.cards)
  if (wall.cards !== cards) {  // otherwise a click would throw the focus away
    wall.replaceChildren(...data.cards.map(cardOf))
    wall.cards = cards
  }
  data.cards.forEach((card, number) => {
    wall.children[number].onclick = () => setTriggerValue("picked", card.id)
  })
}
