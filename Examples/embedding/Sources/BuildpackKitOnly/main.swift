import BuildpackKit

let procfile = try Procfile(parsing: "web: python app.py\nworker: python work.py\n")
for type in procfile.types { print(type.name, type.command) }
