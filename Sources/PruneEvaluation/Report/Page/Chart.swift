import PruneTensor

/// One drawing as SVG: `body` lies in a box of `size`, coloured through classes that the page or the file itself
/// defines.
struct Chart {
  let title: String
  /// A sentence below: what the axes and colours are.
  var note = ""
  let size: (width: Double, height: Double)
  let body: String

  /// Inside a page, which has the style.
  var figure: String {
    "<figure><figcaption>\(Markup.escaped(title))</figcaption>\n\(svg(style: ""))\n"
      + (note.isEmpty ? "" : "<p class=\"note\">\(Markup.escaped(note))</p>\n") + "</figure>\n"
  }

  /// A file of its own.
  var file: String {
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      + svg(style: "<style>svg{background:var(--page)}\(Markup.colors)\(Markup.drawing)</style>") + "\n"
  }

  private func svg(style: String) -> String {
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(Markup.number(size.width)) \(Markup.number(size.height))\" "
      + "role=\"img\" aria-label=\"\(Markup.escaped(title))\">\(style)\(body)</svg>"
  }
}

/// Words of SVG and HTML.
package enum Markup {
  /// Text between or inside tags.
  package static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "\t", "\n", "\r": result.unicodeScalars.append(scalar)
      // XML allows no other control character.
      case _
      where scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
        || scalar.value >= 0xFFFE && scalar.value <= 0xFFFF:
        result += "\u{FFFD}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// A coordinate, to a tenth.
  package static func number(_ value: Double) -> String {
    let text = formatted(value.isFinite ? value : 0, digits: 1)
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }

  static func text(_ x: Double, _ y: Double, _ text: String, anchor: String = "start", kind: String = "") -> String {
    let style = kind.isEmpty ? "" : " class=\"\(kind)\""
    return "<text x=\"\(number(x))\" y=\"\(number(y))\" text-anchor=\"\(anchor)\"\(style)>\(escaped(text))</text>"
  }

  /// `tip` is what pointing at it shows.
  static func rect(
    _ x: Double, _ y: Double, _ width: Double, _ height: Double, kind: String, opacity: Double = 1, tip: String = ""
  ) -> String {
    let faint = opacity < 1 ? " fill-opacity=\"\(formatted(opacity, digits: 3))\"" : ""
    let head =
      "<rect x=\"\(number(x))\" y=\"\(number(y))\" width=\"\(number(max(width, 0)))\" height=\"\(number(max(height, 0)))\" class=\"\(kind)\"\(faint)"
    return tip.isEmpty ? head + "/>" : head + "><title>\(escaped(tip))</title></rect>"
  }

  static func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, kind: String = "axis") -> String {
    "<line x1=\"\(number(x1))\" y1=\"\(number(y1))\" x2=\"\(number(x2))\" y2=\"\(number(y2))\" class=\"\(kind)\"/>"
  }

  static func path(_ points: [(x: Double, y: Double)], kind: String) -> String {
    let steps = points.enumerated().map { "\($0 == 0 ? "M" : "L")\(number($1.x)) \(number($1.y))" }.joined(
      separator: " ")
    return "<path d=\"\(steps)\" class=\"\(kind)\"/>"
  }

  static func dot(_ x: Double, _ y: Double, _ radius: Double, kind: String, tip: String) -> String {
    "<circle cx=\"\(number(x))\" cy=\"\(number(y))\" r=\"\(number(radius))\" class=\"\(kind)\"><title>\(escaped(tip))</title></circle>"
  }

  // MARK: - Style

  /// Colours that hold on light and dark pages, and that people who see no red or green tell apart.
  package static let colors = """
    :root{color-scheme:light dark;--page:#fff;--ink:#1b1f24;--soft:#59636e;--rule:#d1d9e0;--one:#0969da;--two:#bc4c00;--faint:#eef1f4}
    @media(prefers-color-scheme:dark){:root{--page:#0d1117;--ink:#e6edf3;--soft:#9198a1;--rule:#3d444d;--one:#4493f8;--two:#f0883e;--faint:#1c2129}}

    """

  package static let drawing = """
    svg text{font:12px system-ui,sans-serif;fill:var(--ink)}svg text.soft{fill:var(--soft);font-size:11px}
    .one{fill:var(--one)}.floor{fill:var(--faint)}.two{fill:var(--two)}.ghost{fill:var(--rule)}.hollow{fill:var(--page);stroke:var(--soft);stroke-width:1.5}
    .axis{stroke:var(--rule);stroke-width:1}.l1,.l2,.l3,.l4{fill:none;stroke:var(--one);stroke-width:2}.l2{stroke:var(--two)}
    .l3{stroke-dasharray:5 4}.l4{stroke:var(--two);stroke-dasharray:5 4}.ring{fill:none;stroke:var(--two);stroke-width:2}

    """
}
