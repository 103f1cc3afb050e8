import BuildpackKit

let procfile = try Procfile(parsing: "web: python app.py\nworker: python work.py\n")
for type in procfile.processTypes { print(type.name, type.command) }
