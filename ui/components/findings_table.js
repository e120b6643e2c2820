function badgeOf(row) {
  const badge = element("span", "badge", row.severity)
  badge.style.background = row.color
  badge.style.color = row.ink
  return element("td", "severity-cell", badge)
}

function shareOf(row) {
  const cell = element("td", "share-cell", element("span", "number", row.amount))
  if (row.share === null) return cell
  const fill = element("span", "")
  fill.style.width = 100 * row.share + "%"
  cell.append(element("span", "track", fill))
  return cell
}

function exampleOf(example) {
  const button = element("button", "", thumbnail(example.source))
  button.type = "button"
  button.dataset.image = example.id
  button.title = example.id
  button.setAttribute("aria-label", example.id)
  return button
}

function lineOf(row) {
  const name = element("th", "", row.title, element("span", "sentence", row.sentence))
  name.scope = "row"
  name.title = row.sentence
  const action = element("td", "action-cell")
  if (row.action) {
    const button = element("button", "open", row.action)
    button.type = "button"
    button.dataset.finding = row.key
    button.setAttribute("aria-label", row.action + ": " + row.title)
    action.append(button)
  }
  const examples = element("td", "examples-cell", element("span", "pictures", ...row.examples.map(exampleOf)))
  return element("tr", "", badgeOf(row), name, shareOf(row), examples, action)
}

function tableOf(data) {
  const columns = ["severity", "finding", "share", "examples", "action"].map((name) => element("col", name))
  const heads = data.heads.map((head) => {
    const cell = element("th", "", head)
    cell.scope = "col"
    return cell
  })
  const table = element("table", "", element("colgroup", "", ...columns),
    element("thead", "", element("tr", "", ...heads, element("td", ""))),
    element("tbody", "", ...data.rows.map(lineOf)))
  table.setAttribute("aria-label", data.description)
  return table
}

export default function ({ data, parentElement, setTriggerValue }) {
  const place = parentElement.querySelector(".findings")
  const content = JSON.stringify(data)
  if (place.content !== content) {  // otherwise a click would throw the focus away
    place.replaceChildren(tableOf(data))
    place.content = content
  }
  for (const button of place.querySelectorAll("button")) {
    const { finding, image } = button.dataset
    button.onclick = () => setTriggerValue("picked", finding ? ["finding", finding] : ["image", image])
  }
}
