function buttonOf(picture) {
  const caption = element("span", "caption", picture.caption)
  if (picture.badge) {
    const badge = element("span", "badge")
    badge.style.background = picture.badge
    caption.prepend(badge)
  }
  const button = element("button", "", thumbnail(picture.source), caption)
  button.type = "button"
  button.setAttribute("aria-label", picture.id + " " + picture.caption)
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
