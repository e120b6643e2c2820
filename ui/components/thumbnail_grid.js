function markOf(mark) {
  const box = element("span", "mark", mark.text)
  box.style.background = mark.color
  box.style.color = mark.ink
  box.title = mark.description
  return box
}

function buttonOf(picture) {
  const caption = element("span", "caption", picture.caption)
  if (picture.badge) {
    const badge = element("span", "badge")
    badge.style.background = picture.badge
    caption.prepend(badge)
  }
  const marks = element("span", "marks", ...picture.marks.map(markOf))
  const button = element("button", "", thumbnail(picture.source), picture.marks.length ? marks : caption)
  button.type = "button"
  const words = picture.marks.length ? picture.marks.map((mark) => mark.description).join(", ") : picture.caption
  button.setAttribute("aria-label", picture.id + " " + words)
  button.title = picture.id
  return button
}

export default function ({ data, parentElement, setTriggerValue }) {
  const wall = parentElement.querySelector(".wall")
  const pictures = JSON.stringify(data.pictures)
  if (wall.pictures !== pictures) {  // otherwise a click would throw the focus away
    wall.replaceChildren(...data.pictures.map(buttonOf))
    wall.pictures = pictures
  }
  data.pictures.forEach((picture, number) => {
    const button = wall.children[number]
    button.setAttribute("aria-pressed", String(picture.id === data.selected))
    button.onclick = () => setTriggerValue("picked", picture.id)
  })
}
