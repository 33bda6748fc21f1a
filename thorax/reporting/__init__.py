"""What people read: charts, sheets of films, tables."""
