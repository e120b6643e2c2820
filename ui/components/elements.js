// Text goes in through textContent and attributes only: the name of a file or folder is never markup.
function element(kind, name, ...inside) {
  const node = document.createElement(kind)
  node.className = name
  node.append(...inside)
  return node
}

// A coloured mark is a picture with a name to those who do not see it.
function coloured(mark, {color, ink, description}) {
  mark.style.background = color
  mark.style.color = ink
  mark.title = description
  mark.setAttribute("role", "img")
  mark.setAttribute("aria-label", description)
  return mark
}

function thumbnail(source) {
  const image = element("img", "")
  image.loading = "lazy"
  image.alt = ""
  image.onerror = () => image.remove()  // a gap; opening the picture says what is wrong with it
  image.src = source
  return element("span", "frame", image)
}
