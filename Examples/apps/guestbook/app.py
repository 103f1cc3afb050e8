"""A guestbook: one page, one form, one table in SQLite."""

import os
import sqlite3
from datetime import datetime, timezone

from flask import Flask, g, redirect, render_template, request, url_for

app = Flask(__name__)
# Where files stay; without such a place, beside the sources.
DATABASE = os.environ.get("GUESTBOOK_DATABASE") or os.path.join(
    os.environ.get("SLIPWAY_STORAGE", "."), "guestbook.db"
)


def database():
    if "database" not in g:
        g.database = sqlite3.connect(DATABASE, timeout=10)
        g.database.row_factory = sqlite3.Row
        g.database.execute(
            "CREATE TABLE IF NOT EXISTS entries"
            " (id INTEGER PRIMARY KEY, name TEXT NOT NULL, message TEXT NOT NULL, written TEXT NOT NULL)"
        )
    return g.database


@app.teardown_appcontext
def close_database(_error):
    connection = g.pop("database", None)
    if connection is not None:
        connection.close()


@app.get("/")
def index():
    entries = database().execute("SELECT * FROM entries ORDER BY id DESC LIMIT 100").fetchall()
    return render_template("index.html", entries=entries, release=os.environ.get("SLIPWAY_RELEASE"))


@app.post("/")
def sign():
    name = request.form.get("name", "").strip()[:80]
    message = request.form.get("message", "").strip()[:1000]
    if name and message:
        written = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
        with database() as connection:
            connection.execute(
                "INSERT INTO entries (name, message, written) VALUES (?, ?, ?)", (name, message, written)
            )
    # A redirect, so that reloading the page does not sign the book again.
    return redirect(url_for("index"), code=303)


@app.get("/healthz")
def healthz():
    database().execute("SELECT 1")
    return "ok\n"
