export default function ({ data, parentElement }) {
  const bar = element("span", "bar")
  bar.style.background = "linear-gradient(to right, " + data.colors.join(", ") + ")"
  parentElement.querySelector(".scale").replaceChildren(
    element("span", "end", data.against, element("b", "", data.lowest)), bar,
    element("span", "end", element("b", "", data.highest), data.speaks),
    element("span", "note", data.note))
}
