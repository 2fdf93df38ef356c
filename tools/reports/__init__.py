"""What people read about a class: tables, pages, pictures, and files to hand back to students.

All of it is made from class.json and results/ID.json alone (classroom/record.py). Text in those can
be shown, but not yet as HTML or as a cell of a table; names and paths marked raw cannot.
"""
