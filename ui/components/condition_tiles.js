function pictureOf(picture) {
  const grade = element("span", "grade", picture.grade)
  grade.style.background = picture.color
  grade.style.color = picture.ink
  return element("span", "picture", thumbnail(picture.source), grade)
}

function tileOf(tile) {
  const button = element("button", "",
    element("span", "name", tile.name),
    element("span", "pictures", ...tile.pictures.map(pictureOf)),
    element("span", "model", tile.model),
    element("span", "figures", element("span", "score", tile.score), element("span", "interval", tile.interval)))
  button.type = "button"
  button.title = tile.description
  button.setAttribute("aria-label", tile.description)
  return button
}

export default function ({ data, parentElement, setTriggerValue }) {
  const tiles = parentElement.querySelector(".tiles"), content = JSON.stringify(data.tiles)
  if (tiles.content !== content) {  // otherwise a click would throw the focus away
    tiles.replaceChildren(...data.tiles.map(tileOf))
    tiles.setAttribute("aria-label", data.label)
    tiles.content = content
  }
  data.tiles.forEach((tile, number) => {
    const button = tiles.children[number]
    button.setAttribute("aria-pressed", String(tile.key === data.selected))
    button.onclick = () => setTriggerValue("picked", tile.key)
  })
}
